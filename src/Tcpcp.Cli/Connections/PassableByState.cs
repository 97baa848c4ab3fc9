using Tcpcp.Core;
using Tcpcp.Linux.Diagnostics;

namespace Tcpcp.Cli.Connections;

/// <summary>Whether a connection can be passed, as far as sock_diag shows it. Urgent data, for one, shows only on the socket.</summary>
internal static class PassableByState
{
    private static readonly GateOptions s_gate = new();

    /// <summary>Behind the gate: frozen or dormant.</summary>
    public static bool IsGated(ListedSocket socket) => socket.Mark is { } mark && s_gate.IsGateMark(mark);

    /// <summary>Why it cannot be passed; null: it can.</summary>
    public static string? ReasonAgainst(ListedSocket socket)
    {
        if (socket.State is not (TcpState.Established or TcpState.FinWait1 or TcpState.FinWait2 or TcpState.CloseWait or TcpState.Closing
            or TcpState.LastAck))
            return $"a connection in {StateNames.Of(socket.State)} cannot be passed";
        if (IsGated(socket))
            return "it is behind the gate: a pass of it is open";
        return socket.Inode == 0 ? "no process holds it any more" : null;
    }

    /// <inheritdoc cref="ReasonAgainst(ListedSocket)"/>
    public static string? ReasonAgainst(SocketDetails details)
    {
        if (ReasonAgainst(details.Socket) is { } reason)
            return reason;
        if (details.UpperLayer is { } protocol)
            return $"it has the upper layer protocol '{protocol}' in the kernel";
        return details.HasMd5Keys ? "it is signed with TCP-MD5, whose keys cannot be read" : null;
    }
}
