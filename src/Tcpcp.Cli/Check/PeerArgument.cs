using System.CommandLine.Parsing;
using System.Net;
using System.Net.Sockets;

namespace Tcpcp.Cli.Check;

/// <summary>The peer as it is written on the command line: ADDRESS or ADDRESS:PORT.</summary>
internal sealed record PeerArgument(IPAddress Address, int? Port)
{
    public static PeerArgument Parse(ArgumentResult result)
    {
        string text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
        // IPAddress takes 10 for 0.0.0.10; an address of a peer has all its parts.
        if (IPAddress.TryParse(text, out IPAddress? address) && (address.AddressFamily == AddressFamily.InterNetworkV6
            || text.Count(c => c == '.') == 3))
            return new PeerArgument(address, null);
        if (IPEndPoint.TryParse(text, out IPEndPoint? endPoint) && endPoint.Port != 0)
            return new PeerArgument(endPoint.Address, endPoint.Port);
        result.AddError($"'{text}' is no address of a peer: write 192.0.2.9, 2001:db8::9, 192.0.2.9:51514 or [2001:db8::9]:51514.");
        return new PeerArgument(IPAddress.None, null);
    }
}
