using System.Runtime.InteropServices;
using System.Text;
using Tcpcp.Linux.Packets;

namespace Tcpcp.Lab.Capture;

/// <summary>
/// Writes a pcapng file of one Ethernet interface (draft-ietf-opsawg-pcapng): times in nanoseconds, whole frames, each with its direction. Numbers are in the
/// order of this machine, as the format allows. Writing a frame allocates nothing.
/// </summary>
internal sealed class PcapNgWriter : IDisposable
{
    private const uint SectionHeaderBlock = 0x0A0D0D0A;
    private const uint InterfaceDescriptionBlock = 1;
    private const uint InterfaceStatisticsBlock = 5;
    private const uint EnhancedPacketBlock = 6;
    private const uint ByteOrderMagic = 0x1A2B3C4D;
    private const ushort LinkTypeEthernet = 1;
    private const ushort OptionEnd = 0;
    private const ushort OptionInterfaceName = 2; // if_name
    private const ushort OptionPacketFlags = 2; // epb_flags
    private const ushort OptionTimestampResolution = 9; // if_tsresol
    private const ushort OptionReceived = 4; // isb_ifrecv
    private const ushort OptionDropped = 5; // isb_ifdrop
    private const uint Inbound = 1;
    private const uint Outbound = 2;
    private const int BufferBytes = 1024 * 1024;

    private readonly FileStream _file;

    public PcapNgWriter(string path, string interfaceName)
    {
        _file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.Read, BufferBytes);
        WriteBlock(SectionHeaderBlock, new BlockBody(stackalloc byte[16]).Put(ByteOrderMagic).Put<ushort>(1).Put<ushort>(0).Put(-1L));
        byte[] name = Encoding.UTF8.GetBytes(interfaceName);
        WriteBlock(InterfaceDescriptionBlock, new BlockBody(new byte[32 + name.Length])
            .Put(LinkTypeEthernet).Put<ushort>(0).Put(0u) // no snap length
            .PutOption(OptionInterfaceName, name)
            .PutOption(OptionTimestampResolution, [9]) // 10^-9 s
            .PutOption(OptionEnd, []));
    }

    public void Write(in PacketInfo info, ReadOnlySpan<byte> frame)
    {
        const int Fixed = 28;
        const int Trailer = 16;
        int padding = -frame.Length & 3;
        uint total = (uint)(Fixed + frame.Length + padding + Trailer);
        BlockBody header = new BlockBody(stackalloc byte[Fixed]).Put(EnhancedPacketBlock).Put(total).Put(0u)
            .Put((uint)(info.Timestamp >> 32)).Put((uint)info.Timestamp).Put(frame.Length).Put(info.OriginalLength);
        BlockBody trailer = new BlockBody(stackalloc byte[3 + Trailer]).Skip(padding)
            .PutOption(OptionPacketFlags, info.IsOutgoing ? Outbound : Inbound).PutOption(OptionEnd, []).Put(total);
        _file.Write(header.Written);
        _file.Write(frame);
        _file.Write(trailer.Written);
    }

    /// <summary>The last block.</summary>
    /// <param name="received">Frames that came, lost ones included.</param>
    /// <param name="dropped">Frames that came and are not in the file.</param>
    public void WriteStatistics(long timestamp, ulong received, ulong dropped) => WriteBlock(
        InterfaceStatisticsBlock, new BlockBody(stackalloc byte[48]).Put(0u).Put((uint)(timestamp >> 32)).Put((uint)timestamp)
            .PutOption(OptionReceived, received).PutOption(OptionDropped, dropped).PutOption(OptionEnd, []));

    public void Dispose() => _file.Dispose();

    private void WriteBlock(uint type, BlockBody body)
    {
        const int Frame = 12; // type and both lengths
        uint total = (uint)(Frame + body.Written.Length);
        _file.Write(new BlockBody(stackalloc byte[8]).Put(type).Put(total).Written);
        _file.Write(body.Written);
        _file.Write(MemoryMarshal.AsBytes(new ReadOnlySpan<uint>(in total)));
    }
}
