using System.Buffers.Binary;
using System.Net;
using System.Runtime.InteropServices;

namespace Tcpcp.Linux.Switching;

/// <summary>A service's address and port: <c>struct service</c> in bpf/gateway.c.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct BpfService : IEquatable<BpfService>
{
    public AddressBytes Address;
    public ushort Port; // network byte order
    public ushort Unused;
    public uint Version;

    public static BpfService Of(IPEndPoint service)
    {
        BpfService key = new() { Port = BinaryPrimitives.ReverseEndianness((ushort)service.Port), Version = service.Address.GetAddressBytes().Length == 4 ? 4u : 6u };
        service.Address.TryWriteBytes(key.Address, out _);
        return key;
    }

    // Not the framework's own, which inline arrays do not have.
    public readonly bool Equals(BpfService other) => Bytes(in this).SequenceEqual(Bytes(in other));

    public override readonly bool Equals(object? obj) => obj is BpfService other && Equals(other);

    public override readonly int GetHashCode()
    {
        HashCode hash = default;
        hash.AddBytes(Bytes(in this));
        return hash.ToHashCode();
    }

    private static ReadOnlySpan<byte> Bytes(in BpfService key) => MemoryMarshal.AsBytes(new ReadOnlySpan<BpfService>(in key));
}

/// <summary><c>struct entry</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct BpfGatewayEntry
{
    public uint Backend;
    public uint Orderer;
    public ulong Number;
    public long Packets;
    public long Bytes;
}

/// <summary><c>struct placement</c>: the backends of a slot by their numbers, of what opens and of what was open before; 0: it is not known.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly record struct GatewayPlacement(uint Current, uint Before);

/// <summary><c>struct backend</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct BpfBackend
{
    public uint Interface;
    public uint IPv4;
    public AddressBytes IPv6;
}

/// <summary>Who a gateway's state is: <c>struct</c> of the loader alone.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct GatewayIdentity
{
    public Guid Incarnation;
}

/// <summary>A connection that does not go by the table.</summary>
/// <param name="Backend">Number of the backend that has it.</param>
/// <param name="Orderer">Number of the backend that has said so.</param>
/// <param name="Number">Of the last redirection.</param>
internal readonly record struct GatewayEntry(Core.FourTuple Connection, int Backend, int Orderer, ulong Number);

/// <summary>Where a backend is reached.</summary>
/// <param name="Interface">Index of the interface that it is behind.</param>
internal sealed record BackendHop(int Interface, IPAddress? IPv4, IPAddress? IPv6);
