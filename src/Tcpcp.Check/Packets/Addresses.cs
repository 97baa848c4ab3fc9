using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Tcpcp.Check.Packets;

/// <summary>Addresses as 128-bit numbers, IPv4 as v4-mapped: compared for every packet, so no objects.</summary>
internal static class Addresses
{
    private static readonly UInt128 s_mapped = (UInt128)0xFFFF << 32;

    public static UInt128 FromIPv4(ReadOnlySpan<byte> bytes) => s_mapped | BinaryPrimitives.ReadUInt32BigEndian(bytes);

    public static UInt128 From(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out int written);
        return written == 4 ? FromIPv4(bytes) : BinaryPrimitives.ReadUInt128BigEndian(bytes);
    }

    public static IPAddress ToAddress(UInt128 address)
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, address);
        IPAddress result = new(bytes);
        return result.AddressFamily == AddressFamily.InterNetworkV6 && result.IsIPv4MappedToIPv6 ? result.MapToIPv4() : result;
    }

    /// <summary>A MAC address as 02:00:00:00:00:0a.</summary>
    public static string MacToString(ulong mac)
    {
        Span<char> text = stackalloc char[17];
        for (int i = 0; i < 6; i++)
        {
            if (i > 0)
                text[(i * 3) - 1] = ':';
            ((byte)(mac >> (40 - (i * 8)))).TryFormat(text[(i * 3)..], out _, "x2", CultureInfo.InvariantCulture);
        }
        return new string(text);
    }
}
