namespace Tcpcp.Core;

/// <summary>What a state says of the two FINs (RFC 9293, 3.3.2).</summary>
internal static class TcpStates
{
    /// <summary>True in the states that a connection can be passed in: both sides know each other, and an application may hold it.</summary>
    public static bool IsPassable(this TcpState state) => state is TcpState.Established or TcpState.FinWait1 or TcpState.FinWait2 or TcpState.CloseWait
        or TcpState.LastAck or TcpState.Closing;

    /// <summary>The application has closed its side for sending: the own FIN is written, or sent, or acknowledged.</summary>
    public static bool HasOwnFin(this TcpState state) => state is TcpState.FinWait1 or TcpState.FinWait2 or TcpState.LastAck or TcpState.Closing;

    /// <summary>The own FIN counts among what is not acknowledged.</summary>
    public static bool HasOpenFin(this TcpState state) => state.HasOwnFin() && state != TcpState.FinWait2;

    /// <summary>The peer has closed its side.</summary>
    public static bool HasPeersFin(this TcpState state) => state is TcpState.CloseWait or TcpState.LastAck or TcpState.Closing;
}
