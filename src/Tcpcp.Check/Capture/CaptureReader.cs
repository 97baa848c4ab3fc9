using System.Buffers.Binary;

namespace Tcpcp.Check.Capture;

/// <summary>Reads a capture packet by packet, forwards only, in memory that does not grow with the file.</summary>
internal abstract class CaptureReader(CaptureBuffer input)
{
    /// <summary>Longest record or block that is believed, in bytes; a BIG TCP frame has at most 512 KiB.</summary>
    protected const int MaxRecordLength = 64 << 20;

    protected CaptureBuffer Input { get; } = input;

    /// <summary>Packets that the capturing host says it lost, so far; 0 where the format cannot say (pcap).</summary>
    public virtual long DroppedPackets => 0;

    /// <summary>Reads the next packet; false at the end of the file.</summary>
    /// <exception cref="CaptureFormatException">The file is damaged or ends inside a record.</exception>
    public abstract bool TryRead(out CapturedPacket packet);

    /// <summary>Recognises the format by its first bytes.</summary>
    /// <exception cref="CaptureFormatException">It is neither pcap nor pcapng.</exception>
    public static CaptureReader Open(Stream stream)
    {
        CaptureBuffer input = new(stream);
        ReadOnlySpan<byte> magic = input.Peek(4);
        if (magic.Length < 4)
            throw new CaptureFormatException(0, magic.IsEmpty
                ? "the file is empty" : "the file is shorter than the magic number of a capture",
                "Was the capture stopped before it wrote anything? Use tcpdump -U and wait for a packet.");
        uint number = BinaryPrimitives.ReadUInt32BigEndian(magic);
        return number switch
        {
            0x0A0D0D0A => new PcapngReader(input),
            0xA1B2C3D4 or 0xA1B23C4D => new PcapReader(input, isBigEndian: true, isNanoseconds: number == 0xA1B23C4D),
            0xD4C3B2A1 or 0x4D3CB2A1 => new PcapReader(input, isBigEndian: false, isNanoseconds: number == 0x4D3CB2A1),
            0xA1B2CD34 or 0x34CDB2A1 => throw new CaptureFormatException(0, "a pcap file of Kuznetzov's modified format",
                "Convert it: editcap -F pcap OLD NEW."),
            0x28B52FFD => throw new CaptureFormatException(0, "a file compressed by zstd", "Decompress it first: zstd -d FILE."),
            _ when number >> 16 == 0x1F8B => throw new CaptureFormatException(0, "a file compressed by gzip",
                "Decompress it first: gunzip FILE."),
            _ => throw new CaptureFormatException(0, $"the magic number 0x{number:X8} is neither that of pcap nor that of pcapng",
                "Give a file written by tcpdump -w, dumpcap or Wireshark."),
        };
    }

    private protected CaptureFormatException CutOff(string what) => new(Input.Offset, $"the file ends inside {what}",
        "Was the capture still being written, or the copy cut off? Stop the capture first, then read the whole file.");
}
