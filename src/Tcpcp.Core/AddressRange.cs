using System.Net;
using System.Net.Sockets;

namespace Tcpcp.Core;

/// <summary>A range of addresses of one family. IPv4-mapped addresses count as IPv4.</summary>
internal readonly record struct AddressRange(IPNetwork Network)
{
    /// <param name="text">A range such as <c>192.0.2.0/24</c>, or an address.</param>
    /// <returns>What is wrong with it, in one sentence; null if nothing.</returns>
    public static string? TryParse(string text, out AddressRange range)
    {
        range = default;
        if (IPAddress.TryParse(text, out IPAddress? one) && !text.Contains('%', StringComparison.Ordinal))
        {
            one = Plain(one);
            range = new AddressRange(new IPNetwork(one, one.AddressFamily == AddressFamily.InterNetwork ? 32 : 128));
            return null;
        }

        string[] parts = text.Split('/');
        if (parts.Length != 2 || !IPAddress.TryParse(parts[0], out IPAddress? first) || !IPNetwork.TryParse(text, out IPNetwork network))
            return $"'{text}' is no address and no range such as 192.0.2.0/24 or 2001:db8::/64.";
        if (first.IsIPv4MappedToIPv6)
            return $"'{text}' is of IPv4-mapped addresses: write it as IPv4.";
        range = new AddressRange(network);
        return network.BaseAddress.Equals(first) ? null : $"'{text}' has bits set behind its prefix: a range begins with its lowest address, {network.BaseAddress}.";
    }

    public bool Contains(IPAddress address) => Network.Contains(Plain(address));

    private static IPAddress Plain(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
}
