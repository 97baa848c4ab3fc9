namespace Tcpcp.Traffic;

/// <summary>What moves the packets of a connection.</summary>
public enum Mechanism
{
    Takeover,
    Forward,
    Gateway,
    PeerRoute,
}
