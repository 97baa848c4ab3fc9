using System.Buffers.Binary;
using System.Net.NetworkInformation;
using Tcpcp.Core;
using Tcpcp.Linux.Devices;

namespace Tcpcp.Linux.Tests.Switching;

/// <summary>A frame from the peer of a connection, for a TAP interface: behind an empty struct virtio_net_hdr. Its checksums are those of nobody.</summary>
internal sealed record TestFrame(FourTuple Connection)
{
    private const byte Tcp = 6;
    private const byte Udp = 17;
    private const byte HopByHop = 0;

    public PhysicalAddress Destination { get; init; } = PhysicalAddress.Parse("02-00-00-00-00-01");

    /// <summary>Bytes of IPv4 options: a multiple of four.</summary>
    public int OptionBytes { get; init; }

    /// <summary>Offset of an IPv4 fragment in units of eight bytes.</summary>
    public int FragmentOffset { get; init; }

    public bool MoreFragments { get; init; }

    public bool IsUdp { get; init; }

    /// <summary>Behind an IPv6 hop-by-hop header.</summary>
    public bool HasExtensionHeader { get; init; }

    /// <summary>0: no tag.</summary>
    public ushort Vlan { get; init; }

    public byte[] ToArray()
    {
        byte[] transport = Transport();
        byte[] packet = Connection.IsIPv6 ? IPv6(transport) : IPv4(transport);
        byte[] type = [.. Vlan == 0 ? (ReadOnlySpan<byte>)[] : [0x81, 0x00, (byte)(Vlan >> 8), (byte)Vlan], .. (ReadOnlySpan<byte>)(Connection.IsIPv6 ? [0x86, 0xDD] : [0x08, 0x00])];
        return [.. new byte[TapDevice.HeaderBytes], .. Destination.GetAddressBytes(), 2, 0, 0, 0, 0, 9, .. type, .. packet];
    }

    private byte[] Transport()
    {
        byte[] header = new byte[40];
        BinaryPrimitives.WriteUInt16BigEndian(header, (ushort)Connection.Peer.Port);
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(2), (ushort)Connection.Local.Port);
        header[12] = 0x50; // 20 bytes of TCP header; an ACK
        header[13] = 0x10;
        return header;
    }

    private byte[] IPv4(byte[] transport)
    {
        byte[] packet = [.. new byte[20], .. Enumerable.Repeat((byte)1, OptionBytes), .. transport];
        packet[0] = (byte)(0x40 | ((20 + OptionBytes) / 4));
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(2), (ushort)packet.Length);
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(6), (ushort)((MoreFragments ? 0x2000 : 0) | FragmentOffset));
        packet[8] = 64;
        packet[9] = IsUdp ? Udp : Tcp;
        Connection.Peer.Address.TryWriteBytes(packet.AsSpan(12), out _);
        Connection.Local.Address.TryWriteBytes(packet.AsSpan(16), out _);
        int sum = 0;
        for (int i = 0; i < 20 + OptionBytes; i += 2)
            sum += BinaryPrimitives.ReadUInt16BigEndian(packet.AsSpan(i));
        sum = (sum & 0xFFFF) + (sum >> 16);
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(10), (ushort)~((sum & 0xFFFF) + (sum >> 16)));
        return packet;
    }

    private byte[] IPv6(byte[] transport)
    {
        byte protocol = IsUdp ? Udp : Tcp;
        byte[] content = HasExtensionHeader ? [protocol, 0, 1, 4, 0, 0, 0, 0, .. transport] : transport;
        byte[] packet = [.. new byte[40], .. content];
        packet[0] = 0x60;
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(4), (ushort)content.Length);
        packet[6] = HasExtensionHeader ? HopByHop : protocol;
        packet[7] = 64;
        Connection.Peer.Address.TryWriteBytes(packet.AsSpan(8), out _);
        Connection.Local.Address.TryWriteBytes(packet.AsSpan(24), out _);
        return packet;
    }
}
