using System.Globalization;
using System.Net.WebSockets;

namespace Tcpcp.AspNetCore.WebSockets;

/// <summary>What a client offers of permessage-deflate (RFC 7692), and what it gets.</summary>
internal static class DeflateOffer
{
    private const int MinBits = 9; // of zlib
    private const int MaxBits = 15;

    /// <param name="offers">Values of Sec-WebSocket-Extensions.</param>
    /// <param name="keepContext">Lets both sides keep their dictionaries from one message to the next.</param>
    /// <param name="answer">The header field's value.</param>
    /// <returns>Null: it offers nothing that can be taken.</returns>
    public static WebSocketDeflateOptions? Choose(IEnumerable<string?> offers, bool keepContext, out string answer)
    {
        foreach (string offer in offers.SelectMany(value => (value ?? "").Split(',', StringSplitOptions.TrimEntries)))
        {
            string[] parts = offer.Split(';', StringSplitOptions.TrimEntries);
            if (parts[0] == "permessage-deflate" && Read(parts[1..], keepContext) is { } options)
            {
                answer = "permessage-deflate"
                    + (options.ServerContextTakeover ? "" : "; server_no_context_takeover") + (options.ClientContextTakeover ? "" : "; client_no_context_takeover")
                    + (options.ServerMaxWindowBits == MaxBits ? "" : string.Create(CultureInfo.InvariantCulture, $"; server_max_window_bits={options.ServerMaxWindowBits}"));
                return options;
            }
        }

        answer = "";
        return null;
    }

    private static WebSocketDeflateOptions? Read(string[] parameters, bool keepContext)
    {
        WebSocketDeflateOptions options = new() { ServerContextTakeover = keepContext, ClientContextTakeover = keepContext };
        foreach (string parameter in parameters)
        {
            string[] parts = parameter.Split('=', 2, StringSplitOptions.TrimEntries);
            switch (parts[0])
            {
                case "server_no_context_takeover":
                    options.ServerContextTakeover = false;
                    break;
                case "client_no_context_takeover":
                    options.ClientContextTakeover = false;
                    break;
                case "client_max_window_bits":
                    break; // the client may compress with all of them
                case "server_max_window_bits" when parts.Length > 1 && int.TryParse(parts[1].Trim('"'), CultureInfo.InvariantCulture, out int bits) && bits is >= MinBits and <= MaxBits:
                    options.ServerMaxWindowBits = bits;
                    break;
                default:
                    return null;
            }
        }

        return options;
    }
}
