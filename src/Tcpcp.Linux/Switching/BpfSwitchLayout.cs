using System.Buffers.Binary;
using System.Net;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Tcpcp.Core;
using Tcpcp.Linux.Netlink;

namespace Tcpcp.Linux.Switching;

/// <summary>The key of the program's map: <c>struct connection</c> in bpf/packet_switch.c.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct BpfConnection
{
    public AddressBytes Peer;
    public AddressBytes Local;
    public ushort PeerPort; // network byte order
    public ushort LocalPort;
    public uint Version;

    public static BpfConnection Of(FourTuple connection)
    {
        BpfConnection key = default;
        connection.Peer.Address.TryWriteBytes(key.Peer, out _);
        connection.Local.Address.TryWriteBytes(key.Local, out _);
        key.PeerPort = BinaryPrimitives.ReverseEndianness((ushort)connection.Peer.Port);
        key.LocalPort = BinaryPrimitives.ReverseEndianness((ushort)connection.Local.Port);
        key.Version = connection.IsIPv6 ? 6u : 4u;
        return key;
    }

    public readonly FourTuple ToFourTuple() => new(
        new IPEndPoint(Local.ToAddress(Version == 6), BinaryPrimitives.ReverseEndianness(LocalPort)),
        new IPEndPoint(Peer.ToAddress(Version == 6), BinaryPrimitives.ReverseEndianness(PeerPort)));
}

/// <summary>The value: <c>struct target</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct BpfTarget
{
    public PacketVerdict Verdict;
    public int Interface;
    public uint NextHopFamily;
    public AddressBytes NextHop;
    public uint Unused;
    public long Packets;
    public long Bytes;

    public static BpfTarget Of(PacketTarget target)
    {
        BpfTarget value = new() { Verdict = target.Verdict, Interface = target.Interface };
        if (target.NextHop is { } nextHop)
        {
            value.NextHopFamily = RouteFamily.Of(nextHop);
            nextHop.TryWriteBytes(value.NextHop, out _);
        }

        return value;
    }

    public readonly PacketTarget ToTarget() => Verdict switch
    {
        PacketVerdict.Drop => PacketTarget.Drop,
        PacketVerdict.Hold => PacketTarget.Hold(Interface),
        PacketVerdict.Redirect => PacketTarget.Redirect(Interface, NextHop.ToAddress(NextHopFamily == RouteFamily.AF_INET6)),
        _ => PacketTarget.Pass,
    };
}

/// <summary>An address in network byte order; an IPv4 address is followed by zeros.</summary>
[InlineArray(16)]
internal struct AddressBytes
{
    private byte _first;

    public readonly IPAddress ToAddress(bool ipv6)
    {
        ReadOnlySpan<byte> bytes = this;
        return new IPAddress(ipv6 ? bytes : bytes[..4]);
    }
}
