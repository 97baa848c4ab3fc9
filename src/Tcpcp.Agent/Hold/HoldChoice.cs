namespace Tcpcp.Agent.Hold;

/// <summary>What packets are wanted to be held by.</summary>
internal enum HoldChoice
{
    /// <summary>A TAP, or a veth pair where it is not to be had.</summary>
    Automatic,

    Tap,

    Veth,
}

/// <summary>What packets are held by.</summary>
internal enum HoldMechanism
{
    /// <summary>A TAP interface (/dev/net/tun).</summary>
    Tap,

    /// <summary>A veth pair with a packet socket (AF_PACKET).</summary>
    Veth,
}
