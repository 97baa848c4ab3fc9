using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Tcpcp.Linux.Netlink;

/// <summary>An address of an interface with the length of its network's prefix, such as <c>192.0.2.1/24</c>; host bits are kept.</summary>
internal readonly record struct InterfaceAddress
{
    public InterfaceAddress(IPAddress address, int prefixLength)
    {
        ArgumentNullException.ThrowIfNull(address);
        int bits = BitsOf(address);
        if (prefixLength < 0 || prefixLength > bits)
            throw new ArgumentOutOfRangeException(nameof(prefixLength), prefixLength, $"The prefix length of {address} is 0 to {bits}.");
        Address = address;
        PrefixLength = prefixLength;
    }

    public IPAddress Address { get; }

    public int PrefixLength { get; }

    /// <summary>The address as a host of its own: /32 or /128.</summary>
    public static InterfaceAddress Single(IPAddress address) => new(address, BitsOf(address));

    /// <summary>Parses <c>ADDRESS/LENGTH</c>; without a length the address stands alone.</summary>
    /// <exception cref="FormatException">The text is something else.</exception>
    public static InterfaceAddress Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        string[] parts = text.Split('/');
        if (parts.Length > 2 || !IPAddress.TryParse(parts[0], out IPAddress? address))
            throw new FormatException($"'{text}' is not an address: write 192.0.2.1/24 or 2001:db8::1/64.");
        if (parts.Length == 1)
            return Single(address);
        return int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out int length) && length <= BitsOf(address)
            ? new InterfaceAddress(address, length)
            : throw new FormatException($"'{parts[1]}' is not a prefix length for {address}.");
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Address}/{PrefixLength}");

    private static int BitsOf(IPAddress address) => address.AddressFamily == AddressFamily.InterNetworkV6 ? 128 : 32;
}
