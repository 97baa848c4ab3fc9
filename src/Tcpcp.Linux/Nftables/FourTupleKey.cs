using System.Buffers.Binary;
using System.Net;
using Tcpcp.Core;

namespace Tcpcp.Linux.Nftables;

/// <summary>
/// A four-tuple as the key of a set or map: local address, local port, peer's address, peer's port; each part is padded to four bytes and in network byte order.
/// </summary>
internal static class FourTupleKey
{
    /// <summary>Of an IPv6 key.</summary>
    public const int MaxBytes = 40;

    /// <summary>Length of a connection's key.</summary>
    public static int BytesOf(FourTuple connection) => connection.IsIPv6 ? MaxBytes : 16;

    /// <returns>Its length.</returns>
    public static int Write(Span<byte> key, FourTuple connection)
    {
        int bytes = BytesOf(connection);
        Write(key[..(bytes / 2)], connection.Local);
        Write(key[(bytes / 2)..bytes], connection.Peer);
        return bytes;
    }

    /// <returns>False if it is no such key.</returns>
    public static bool TryRead(ReadOnlySpan<byte> key, bool ipv6, out FourTuple connection)
    {
        int address = ipv6 ? 16 : 4;
        bool fits = key.Length == 2 * (address + 4);
        connection = fits ? new FourTuple(EndPoint(key, address), EndPoint(key[(address + 4)..], address)) : default;
        return fits;
    }

    private static void Write(Span<byte> key, IPEndPoint end)
    {
        end.Address.TryWriteBytes(key, out int address);
        BinaryPrimitives.WriteUInt32BigEndian(key[address..], (uint)end.Port << 16);
    }

    private static IPEndPoint EndPoint(ReadOnlySpan<byte> key, int address) =>
        new(new IPAddress(key[..address]), BinaryPrimitives.ReadUInt16BigEndian(key[address..]));
}
