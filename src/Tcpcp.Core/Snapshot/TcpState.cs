namespace Tcpcp.Core;

/// <summary>State of a connection (RFC 9293, 3.3.2) with the kernel's numbers (include/net/tcp_states.h).</summary>
public enum TcpState
{
    /// <summary>Not known.</summary>
    None = 0,

    /// <summary>Open in both directions.</summary>
    Established = 1,

    /// <summary>Our SYN is sent; cannot be passed.</summary>
    SynSent = 2,

    /// <summary>A SYN was answered; cannot be passed.</summary>
    SynReceived = 3,

    /// <summary>Our FIN is sent and not yet acknowledged.</summary>
    FinWait1 = 4,

    /// <summary>Our FIN is acknowledged; the peer may still send.</summary>
    FinWait2 = 5,

    /// <summary>Both sides are closed, waiting for old segments to die; cannot be passed.</summary>
    TimeWait = 6,

    /// <summary>No connection; cannot be passed.</summary>
    Closed = 7,

    /// <summary>The peer has closed its side; we may still send.</summary>
    CloseWait = 8,

    /// <summary>The peer's FIN came first, ours is sent and not yet acknowledged.</summary>
    LastAck = 9,

    /// <summary>A listening socket; cannot be passed.</summary>
    Listen = 10,

    /// <summary>Both FINs crossed; ours is not yet acknowledged.</summary>
    Closing = 11,
}
