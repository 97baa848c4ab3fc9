namespace Tcpcp.Check;

/// <summary>The rules that the service's segments are judged by; each is something that the peer must never see.</summary>
public enum ContradictionKind
{
    /// <summary>An RST (RFC 9293, 3.5.2): the peer's connection is gone.</summary>
    Reset,

    /// <summary>
    /// A FIN that is not the end of the stream: data beyond it, at another position in a retransmission, or not after the expected number
    /// of bytes (RFC 9293, 3.6).
    /// </summary>
    UnexpectedFin,

    /// <summary>A bare SYN inside an open connection: a socket that connected anew instead of going on (RFC 9293, 3.10.7.4).</summary>
    UnexpectedSyn,

    /// <summary>An acknowledgement number below an earlier one (RFC 9293, 3.4): bytes once acknowledged may be lost.</summary>
    AcknowledgementSteppedBack,

    /// <summary>An acknowledgement of bytes that the peer had not sent (RFC 9293, 3.10.7.4).</summary>
    AcknowledgedUnsentData,

    /// <summary>The right edge of the window, ack + (window &lt;&lt; scale), moved left (RFC 9293, 3.8.6.2.1).</summary>
    WindowShrank,

    /// <summary>Data beyond the right edge of the window that the peer announced (RFC 9293, 3.8.6), window probes aside.</summary>
    SentBeyondWindow,

    /// <summary>A byte sent again with another value than at first (RFC 9293, 3.7).</summary>
    RetransmissionDiffers,

    /// <summary>A TSval below an earlier one, modulo 2^32 (RFC 7323, 5.2): the peer's PAWS drops such segments.</summary>
    TimestampSteppedBack,

    /// <summary>A TSecr above every TSval that the peer sent (RFC 7323, 3.2).</summary>
    EchoedUnsentTimestamp,

    /// <summary>Timestamps missing or there against the handshake, SACK blocks that were not negotiated, MSS or window scale without
    /// SYN.</summary>
    OptionsChanged,

    /// <summary>A SACK block that is empty or beyond what the peer has sent (RFC 2018, 3).</summary>
    SackOfUnsentData,

    /// <summary>Another TTL or hop limit than before.</summary>
    TtlChanged,

    /// <summary>Another DSCP than before (RFC 2474); the two ECN bits may vary.</summary>
    DscpChanged,
}
