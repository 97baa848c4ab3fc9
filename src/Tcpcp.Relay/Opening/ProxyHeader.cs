using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Tcpcp.Relay.Opening;

/// <summary>The PROXY protocol: what a load balancer says of the client before the client's own bytes (HAProxy's proxy-protocol.txt, versions 1 and 2).</summary>
internal static class ProxyHeader
{
    /// <summary>The longest header that is read.</summary>
    public const int MaxBytes = 4096;

    private const int MaxTextBytes = 107;
    private const int FixedBytes = 16;
    private const int IPv4Bytes = 12;
    private const int IPv6Bytes = 36;
    private const byte TcpOverIPv4 = 0x11;
    private const byte TcpOverIPv6 = 0x21;
    private const byte Local = 0x20;
    private const byte Proxy = 0x21;

    private static ReadOnlySpan<byte> Signature => "\r\n\r\n\0\r\nQUIT\n"u8;

    /// <summary>Reads a header at the start of what has come.</summary>
    /// <param name="length">Of the header, when it is whole.</param>
    /// <param name="client">The client; null: whoever has connected speaks for itself.</param>
    public static PrologueProgress Read(ReadOnlySpan<byte> bytes, out int length, out IPEndPoint? client)
    {
        (length, client) = (0, null);
        if (bytes.Length == 0)
            return PrologueProgress.Unfinished;
        return bytes[0] == Signature[0] ? ReadBinary(bytes, out length, out client) : ReadText(bytes, out length, out client);
    }

    /// <summary>A header of version 2 for a server.</summary>
    /// <param name="service">Where the client has connected to.</param>
    public static byte[] Write(IPEndPoint client, IPEndPoint service)
    {
        (IPAddress from, IPAddress to) = (Unmapped(client.Address), Unmapped(service.Address));
        bool isIPv4 = from.AddressFamily == AddressFamily.InterNetwork && to.AddressFamily == AddressFamily.InterNetwork;
        if (!isIPv4)
            (from, to) = (from.MapToIPv6(), to.MapToIPv6());
        int addressBytes = isIPv4 ? IPv4Bytes : IPv6Bytes;
        byte[] header = new byte[FixedBytes + addressBytes];
        Signature.CopyTo(header);
        header[12] = Proxy;
        header[13] = isIPv4 ? TcpOverIPv4 : TcpOverIPv6;
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(14), (ushort)addressBytes);
        int each = isIPv4 ? 4 : 16;
        from.TryWriteBytes(header.AsSpan(FixedBytes), out _);
        to.TryWriteBytes(header.AsSpan(FixedBytes + each), out _);
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(FixedBytes + (2 * each)), (ushort)client.Port);
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(FixedBytes + (2 * each) + 2), (ushort)service.Port);
        return header;
    }

    private static PrologueProgress ReadBinary(ReadOnlySpan<byte> bytes, out int length, out IPEndPoint? client)
    {
        (length, client) = (0, null);
        if (!Signature.StartsWith(bytes[..Math.Min(bytes.Length, Signature.Length)]))
            return PrologueProgress.Invalid;
        if (bytes.Length < FixedBytes)
            return PrologueProgress.Unfinished;
        int addressBytes = BinaryPrimitives.ReadUInt16BigEndian(bytes[14..]);
        if (bytes[12] is not (Local or Proxy) || FixedBytes + addressBytes > MaxBytes)
            return PrologueProgress.Invalid;
        if (bytes.Length < FixedBytes + addressBytes)
            return PrologueProgress.Unfinished;
        length = FixedBytes + addressBytes;
        if (bytes[12] == Local)
            return PrologueProgress.Done;
        ReadOnlySpan<byte> addresses = bytes.Slice(FixedBytes, addressBytes);
        switch (bytes[13])
        {
            case TcpOverIPv4 when addressBytes >= IPv4Bytes:
                client = new IPEndPoint(new IPAddress(addresses[..4]), BinaryPrimitives.ReadUInt16BigEndian(addresses[8..]));
                return PrologueProgress.Done;
            case TcpOverIPv6 when addressBytes >= IPv6Bytes:
                client = new IPEndPoint(Unmapped(new IPAddress(addresses[..16])), BinaryPrimitives.ReadUInt16BigEndian(addresses[32..]));
                return PrologueProgress.Done;
            case TcpOverIPv4 or TcpOverIPv6:
                return PrologueProgress.Invalid;
            default:
                return PrologueProgress.Done; // of another kind: the receiver takes the connection's own addresses
        }
    }

    // PROXY TCP4 192.0.2.9 192.0.2.100 51514 443\r\n
    private static PrologueProgress ReadText(ReadOnlySpan<byte> bytes, out int length, out IPEndPoint? client)
    {
        (length, client) = (0, null);
        ReadOnlySpan<byte> start = "PROXY "u8;
        if (!start.StartsWith(bytes[..Math.Min(bytes.Length, start.Length)]))
            return PrologueProgress.Invalid;
        int end = bytes.IndexOf("\r\n"u8);
        if (end < 0 || end + 2 > MaxTextBytes)
            return end < 0 && bytes.Length < MaxTextBytes ? PrologueProgress.Unfinished : PrologueProgress.Invalid;
        length = end + 2;
        string[] words = Encoding.ASCII.GetString(bytes[start.Length..end]).Split(' ');
        if (words[0] == "UNKNOWN")
            return PrologueProgress.Done;
        AddressFamily? family = words[0] switch
        {
            "TCP4" => AddressFamily.InterNetwork,
            "TCP6" => AddressFamily.InterNetworkV6,
            _ => null,
        };
        if (words.Length != 5 || !IPAddress.TryParse(words[1], out IPAddress? address) || address.AddressFamily != family
            || !IPAddress.TryParse(words[2], out _) || !ushort.TryParse(words[3], out ushort port) || !ushort.TryParse(words[4], out _))
            return PrologueProgress.Invalid;
        client = new IPEndPoint(Unmapped(address), port);
        return PrologueProgress.Done;
    }

    private static IPAddress Unmapped(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
}
