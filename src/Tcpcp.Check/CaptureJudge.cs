using Tcpcp.Check.Capture;
using Tcpcp.Check.Judgement;
using Tcpcp.Check.Packets;

namespace Tcpcp.Check;

/// <summary>
/// Reads a capture (pcap or pcapng) taken at the peer and judges whether the service's segments told the peer anything contradictory. The
/// capture must be taken at the peer: elsewhere it has segments that the peer never saw and another order. It is read once, forwards;
/// memory is bounded by <see cref="JudgeOptions.RetainedBytes"/> and by the number of connections.
/// </summary>
public static class CaptureJudge
{
    /// <summary>Judges a capture file.</summary>
    /// <exception cref="CaptureFormatException">The file is damaged or of a foreign format.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static CaptureReport Judge(string path, JudgeOptions options)
    {
        using FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0, FileOptions.SequentialScan);
        return Judge(stream, options);
    }

    /// <summary>Judges a capture from its current position to its end; the stream stays open and need not seek.</summary>
    /// <exception cref="CaptureFormatException">The stream is damaged or of a foreign format.</exception>
    public static CaptureReport Judge(Stream capture, JudgeOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(capture);
        ArgumentNullException.ThrowIfNull(options);
        CaptureReader reader = CaptureReader.Open(capture);
        Session session = new(options);
        long packets = 0;
        while (reader.TryRead(out CapturedPacket packet))
        {
            packets++;
            if ((packets & 0xFFF) == 0)
                cancellationToken.ThrowIfCancellationRequested();
            ParseOutcome outcome = SegmentParser.Parse(packet, out Segment segment);
            session.Take(outcome, segment, packets, packet.TimeNanoseconds);
        }
        return session.Report(packets, reader.DroppedPackets);
    }
}
