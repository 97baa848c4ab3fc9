using System.CommandLine.Parsing;
using System.Globalization;
using System.Net;

namespace Tcpcp.Cli.Connections;

/// <summary>This host's end as a filter: ADDRESS, ADDRESS:PORT or :PORT.</summary>
internal sealed record LocalFilter(IPAddress? Address, int? Port)
{
    public static LocalFilter? Parse(ArgumentResult result)
    {
        string text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
        if (text.StartsWith(':') && ushort.TryParse(text.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture, out ushort port) && port != 0)
            return new LocalFilter(null, port);
        bool isWhole = text.Contains(':', StringComparison.Ordinal) || text.Count(c => c == '.') == 3; // 10 would be 0.0.0.10
        if (isWhole && !text.StartsWith('[') && IPAddress.TryParse(text, out IPAddress? address))
            return new LocalFilter(Plain(address), null);
        if (isWhole && IPEndPoint.TryParse(text, out IPEndPoint? endPoint))
            return new LocalFilter(Plain(endPoint.Address), endPoint.Port == 0 ? null : endPoint.Port);
        result.AddError($"'{text}' is no local end: write 192.0.2.1, 192.0.2.1:80, [2001:db8::1]:80 or :80.");
        return null;
    }

    public bool Matches(IPEndPoint local) => (Address is null || Address.Equals(local.Address)) && (Port is null || Port == local.Port);

    private static IPAddress Plain(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
}
