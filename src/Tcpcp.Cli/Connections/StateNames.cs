using Tcpcp.Core;

namespace Tcpcp.Cli.Connections;

/// <summary>States by their names in RFC 9293, as <c>ss</c> and <c>netstat</c> print them too.</summary>
internal static class StateNames
{
    private static readonly (TcpState State, string Name)[] s_names =
    [
        (TcpState.Established, "ESTABLISHED"), (TcpState.SynSent, "SYN_SENT"), (TcpState.SynReceived, "SYN_RECV"), (TcpState.FinWait1, "FIN_WAIT1"),
        (TcpState.FinWait2, "FIN_WAIT2"), (TcpState.TimeWait, "TIME_WAIT"), (TcpState.CloseWait, "CLOSE_WAIT"), (TcpState.LastAck, "LAST_ACK"),
        (TcpState.Listen, "LISTEN"), (TcpState.Closing, "CLOSING"),
    ];

    public static IEnumerable<string> All => s_names.Select(pair => pair.Name);

    public static string Of(TcpState state)
    {
        foreach ((TcpState known, string name) in s_names)
        {
            if (known == state)
                return name;
        }

        return state.ToString();
    }

    /// <summary>Takes close-wait and fin-wait-1 too; null if it is no state.</summary>
    public static TcpState? TryParse(string text)
    {
        foreach ((TcpState state, string name) in s_names)
        {
            if (Bare(name).Equals(Bare(text), StringComparison.OrdinalIgnoreCase))
                return state;
        }

        return null;
    }

    private static string Bare(string name) => name.Replace("_", "", StringComparison.Ordinal).Replace("-", "", StringComparison.Ordinal);
}
