using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;

namespace Tcpcp.Core;

/// <summary>
/// The four-tuple that names a TCP connection on its host: local address and port, peer's address and port (RFC 9293, 3.3.1).
/// Printed and parsed as <c>LOCAL-PEER</c>: <c>192.0.2.1:80-192.0.2.9:51514</c>, <c>[2001:db8::1]:80-[2001:db8::9]:51514</c>.
/// A v4-mapped IPv6 socket has IPv4 addresses here: this names what is on the wire.
/// </summary>
public readonly record struct FourTuple : ISpanParsable<FourTuple>
{
    /// <summary>Makes a four-tuple. v4-mapped addresses become IPv4 addresses.</summary>
    /// <exception cref="ArgumentException">The two addresses are of different families, or neither IPv4 nor IPv6.</exception>
    public FourTuple(IPEndPoint local, IPEndPoint peer)
    {
        ArgumentNullException.ThrowIfNull(local);
        ArgumentNullException.ThrowIfNull(peer);
        Local = WithoutMapping(local);
        Peer = WithoutMapping(peer);
        if (Local.AddressFamily != Peer.AddressFamily)
            throw new ArgumentException($"The local address {Local.Address} and the peer's address {Peer.Address} are of different families.",
                nameof(peer));
        if (Local.AddressFamily is not (AddressFamily.InterNetwork or AddressFamily.InterNetworkV6))
            throw new ArgumentException("A four-tuple has IPv4 or IPv6 addresses.", nameof(local));
    }

    /// <summary>This host's end.</summary>
    public IPEndPoint Local { get; }

    /// <summary>The other end.</summary>
    public IPEndPoint Peer { get; }

    /// <summary>True for IPv6 on the wire, false for IPv4.</summary>
    public bool IsIPv6 => Local.AddressFamily == AddressFamily.InterNetworkV6;

    /// <summary>The same connection as the peer names it.</summary>
    public FourTuple Reversed => new(Peer, Local);

    /// <summary>Parses the form <c>LOCAL-PEER</c>.</summary>
    /// <exception cref="FormatException">The text is not a four-tuple; the message shows an example.</exception>
    public static FourTuple Parse(ReadOnlySpan<char> s, IFormatProvider? provider) =>
        TryParse(s, provider, out FourTuple result)
            ? result
            : throw new FormatException($"'{s}' is not a connection: write LOCAL-PEER, for example 192.0.2.1:80-192.0.2.9:51514 " +
                "or [2001:db8::1]:80-[2001:db8::9]:51514.");

    /// <inheritdoc cref="Parse(ReadOnlySpan{char}, IFormatProvider?)"/>
    public static FourTuple Parse(string s, IFormatProvider? provider)
    {
        ArgumentNullException.ThrowIfNull(s);
        return Parse(s.AsSpan(), provider);
    }

    /// <inheritdoc cref="Parse(ReadOnlySpan{char}, IFormatProvider?)"/>
    public static FourTuple Parse(string s) => Parse(s, null);

    /// <summary>Parses the form <c>LOCAL-PEER</c>; false if the text is something else.</summary>
    public static bool TryParse(ReadOnlySpan<char> s, IFormatProvider? provider, out FourTuple result)
    {
        result = default;
        // The dash never occurs in an address; a scope id (fe80::1%eth-0) may have one, and names only one host's interface anyway.
        int dash = s.IndexOf('-');
        if (dash <= 0 || !TryParseEndPoint(s[..dash], out IPEndPoint? local) || !TryParseEndPoint(s[(dash + 1)..], out IPEndPoint? peer))
            return false;
        if (WithoutMapping(local).AddressFamily != WithoutMapping(peer).AddressFamily)
            return false;
        result = new FourTuple(local, peer);
        return true;
    }

    /// <inheritdoc cref="TryParse(ReadOnlySpan{char}, IFormatProvider?, out FourTuple)"/>
    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out FourTuple result) =>
        TryParse(s.AsSpan(), provider, out result);

    /// <summary>The form <c>LOCAL-PEER</c>.</summary>
    public override string ToString() => Local is null ? "(none)" : $"{Local}-{Peer}";

    // IPEndPoint.TryParse takes a missing port for 0; a connection has both ends in full.
    private static bool TryParseEndPoint(ReadOnlySpan<char> text, [NotNullWhen(true)] out IPEndPoint? endPoint)
    {
        endPoint = null;
        int colon = text.LastIndexOf(':');
        if (colon <= 0 || !ushort.TryParse(text[(colon + 1)..], System.Globalization.NumberStyles.None, null, out ushort port) || port == 0)
            return false;
        ReadOnlySpan<char> host = text[..colon];
        bool bracketed = host.Length > 2 && host[0] == '[' && host[^1] == ']';
        if (bracketed)
            host = host[1..^1];
        // IPAddress.TryParse also takes [::1]:7, ::1/64, and for IPv4 short forms, octal and hexadecimal numbers.
        if (host.ContainsAny("[]/") || !IPAddress.TryParse(host, out IPAddress? address)
            || address.AddressFamily == AddressFamily.InterNetworkV6 != bracketed)
            return false;
        if (!bracketed && !host.SequenceEqual(address.ToString()))
            return false;
        endPoint = new IPEndPoint(address, port);
        return true;
    }

    private static IPEndPoint WithoutMapping(IPEndPoint endPoint) =>
        endPoint.Address.IsIPv4MappedToIPv6 ? new IPEndPoint(endPoint.Address.MapToIPv4(), endPoint.Port) : endPoint;
}
