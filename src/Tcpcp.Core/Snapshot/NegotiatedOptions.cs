namespace Tcpcp.Core;

/// <summary>What the SYN exchange agreed on; it stays the same for the life of the connection.</summary>
/// <param name="MssClamp">The peer's maximum segment size option in bytes (RFC 9293, 3.7.1).</param>
/// <param name="SendMss">Effective send MSS at the capture: bytes of payload in a full segment.</param>
/// <param name="WindowScaling">True if both sides sent the window scale option (RFC 7323, 2).</param>
/// <param name="SndWscale">The peer's shift count, 0 to 14.</param>
/// <param name="RcvWscale">Our shift count, 0 to 14.</param>
/// <param name="Sack">True if selective acknowledgements are permitted (RFC 2018).</param>
/// <param name="Timestamps">True if every segment carries the timestamp option (RFC 7323, 3).</param>
/// <param name="Ecn">True if explicit congestion notification was agreed on (RFC 3168).</param>
public readonly record struct NegotiatedOptions(
    int MssClamp, int SendMss, bool WindowScaling, byte SndWscale, byte RcvWscale, bool Sack, bool Timestamps, bool Ecn);
