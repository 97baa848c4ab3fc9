using System.Buffers;
using System.Diagnostics;
using System.Runtime.InteropServices;
using Tcpcp.Core;
using Tcpcp.Linux.Tcp;
using static Tcpcp.Linux.Tcp.SocketLevel;
using static Tcpcp.Linux.Tcp.TcpOption;

namespace Tcpcp.Capture;

/// <summary>Reads the kernel's state of a connection that is in repair mode behind a closed gate.</summary>
internal static class ConnectionCapture
{
    private const int MaxAttempts = 16;

    // A head segment of the send queue that is partly acknowledged still has its acknowledged bytes; a segment is below 64 KiB.
    private const int MaxSegmentBytes = 128 << 10;

    /// <param name="options">As the application had them, before the gate changed some.</param>
    /// <param name="inFlight">From <see cref="InFlightBytes"/>.</param>
    /// <param name="sentTimestamp">TSval that is not before any that was sent; null: not known, to be estimated.</param>
    /// <param name="clockReadAt">When the timestamp clock was read (<see cref="Stopwatch.GetTimestamp"/>): it stands still since then.</param>
    /// <param name="epoch">For the snapshot.</param>
    /// <param name="buffers">Where the snapshot's buffers are taken from; null: they are its own.</param>
    /// <exception cref="NotPassableException">The sequence numbers kept moving, or the connection has ended meanwhile.</exception>
    public static ConnectionSnapshot Capture(SafeHandle socket, PassableSocket passable, TcpSocketOptions options, int inFlight, uint? sentTimestamp,
        out long clockReadAt, ulong epoch = 0, ArrayPool<byte>? buffers = null)
    {
        clockReadAt = 0;
        for (int attempt = 0; attempt < MaxAttempts; attempt++)
        {
            clockReadAt = Stopwatch.GetTimestamp();
            if (TryCapture(socket, passable, options, inFlight, sentTimestamp, epoch, buffers) is { } snapshot)
                return snapshot;
        }

        throw new NotPassableException(NotPassableReason.Unstable, passable.Connection,
            $"its sequence numbers moved behind the closed gate, {MaxAttempts} times.");
    }

    /// <summary>
    /// SND.NXT - SND.UNA, to be read once, when the gate is closed and repair mode is on: from then on neither moves in truth. But while a capture has the
    /// send queue selected, a timer may make the kernel count unsent bytes as sent without sending them.
    /// </summary>
    public static int InFlightBytes(SafeHandle socket)
    {
        int unacknowledged = SocketQueues.UnacknowledgedBytes(socket);
        while (unacknowledged > 0)
        {
            int unsent = SocketQueues.UnsentBytes(socket);
            int before = unacknowledged;
            unacknowledged = SocketQueues.UnacknowledgedBytes(socket);
            if (unacknowledged == before)
                return unacknowledged - unsent;
        }

        return 0;
    }

    private static ConnectionSnapshot? TryCapture(
        SafeHandle socket, PassableSocket passable, TcpSocketOptions options, int inFlight, uint? sentTimestamp, ulong epoch, ArrayPool<byte>? buffers)
    {
        TimestampClock timestamps = RepairMode.Timestamp(socket);
        // The order matters: all of the send queue, the second look at its numbers too, between both looks at the receive queue's; so there is an instant at which all
        // held. Afterwards no queue is selected: a stray write then fails and is not lost in silence.
        int unacknowledged = SocketQueues.UnacknowledgedBytes(socket);
        SocketOption.Get(socket, IPPROTO_TCP, TCP_INFO, out TcpInfo info);
        TcpState state = Passability.RequirePassable(info, passable.Connection);
        int openFin = state.HasOpenFin() ? 1 : 0; // counts in SIOCOUTQ and write_seq, and is no byte of the queue
        RepairWindow window = RepairMode.Window(socket);
        int mssClamp = SocketOption.Get(socket, IPPROTO_TCP, TCP_MAXSEG); // in repair mode: the peer's MSS option

        RepairMode.SelectQueue(socket, TCP_RECV_QUEUE);
        SequenceNumber rcvNxt = RepairMode.QueueSequence(socket);
        ReadOnlyMemory<byte> unread = ReadReceiveQueue(socket, buffers);

        RepairMode.SelectQueue(socket, TCP_SEND_QUEUE);
        SequenceNumber writeSeq = RepairMode.QueueSequence(socket);
        ReadOnlyMemory<byte> written = ReadSendQueue(socket, unacknowledged - openFin, buffers);
        bool moved = RepairMode.QueueSequence(socket) != writeSeq | SocketQueues.UnacknowledgedBytes(socket) != unacknowledged;

        RepairMode.SelectQueue(socket, TCP_RECV_QUEUE);
        moved |= RepairMode.QueueSequence(socket) != rcvNxt || SocketQueues.UnreadBytes(socket) != unread.Length;
        RepairMode.SelectQueue(socket, TCP_NO_QUEUE);

        int unsent = unacknowledged - inFlight;
        int unsentBytes = unsent > 0 ? unsent - openFin : 0; // the FIN is the last
        if (moved || written.Length != unacknowledged - openFin || unsent < 0)
            return null;
        return new ConnectionSnapshot
        {
            Connection = passable.Connection,
            IsV4Mapped = passable.V4Mapped,
            State = state,
            SndUna = writeSeq - unacknowledged,
            SndNxt = writeSeq - unsent,
            WriteSeq = writeSeq,
            Sent = written[..^unsentBytes],
            Unsent = written[^unsentBytes..],
            FinWritten = state.HasOwnFin(),
            RcvNxt = rcvNxt,
            Unread = unread,
            FinReceived = state.HasPeersFin(),
            Window = window,
            Negotiated = new NegotiatedOptions(mssClamp, (int)info.tcpi_snd_mss, Has(info, TCPI_OPT_WSCALE), info.SndWscale, info.RcvWscale,
                Has(info, TCPI_OPT_SACK), Has(info, TCPI_OPT_TIMESTAMPS), info.HasEcn),
            Timestamps = timestamps with { Ahead = sentTimestamp is { } sent ? PacingLead.Between(timestamps, sent) : PacingLead.Of(info) },
            Options = options,
            Congestion = new CongestionState(OptionReader.CongestionAlgorithm(socket), (int)info.tcpi_snd_cwnd, unchecked((int)info.tcpi_snd_ssthresh),
                TimeSpan.FromMicroseconds(info.tcpi_rtt), TimeSpan.FromMicroseconds(info.tcpi_min_rtt), info.tcpi_delivery_rate, info.tcpi_pacing_rate,
                CongestionStart.Default),
            Epoch = epoch,
        };
    }

    private static bool Has(in TcpInfo info, int option) => (info.tcpi_options & option) != 0;

    private static ReadOnlyMemory<byte> ReadReceiveQueue(SafeHandle socket, ArrayPool<byte>? buffers)
    {
        int length = SocketQueues.UnreadBytes(socket);
        if (length == 0)
            return ReadOnlyMemory<byte>.Empty;
        Memory<byte> bytes = SnapshotBuffers.Take(length, buffers);
        int read = SocketQueues.Peek(socket, bytes.Span);
        return read == length ? bytes : bytes[..Math.Min(read, length)]; // a shorter one is found out by the second look
    }

    // Where the head segment is partly acknowledged, the kernel gives its acknowledged bytes too: the true data is the last `unacknowledged` bytes.
    private static ReadOnlyMemory<byte> ReadSendQueue(SafeHandle socket, int unacknowledged, ArrayPool<byte>? buffers)
    {
        if (unacknowledged == 0)
            return ReadOnlyMemory<byte>.Empty;
        Memory<byte> bytes = SnapshotBuffers.Take(unacknowledged, buffers);
        int read = SocketQueues.Peek(socket, bytes.Span);
        if (read == unacknowledged)
            return bytes;
        if (read < unacknowledged || read - unacknowledged > MaxSegmentBytes)
            return ReadOnlyMemory<byte>.Empty;
        bytes = SnapshotBuffers.Take(read, buffers);
        return SocketQueues.Peek(socket, bytes.Span) == read ? bytes[(read - unacknowledged)..] : ReadOnlyMemory<byte>.Empty;
    }
}
