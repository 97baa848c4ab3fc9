using System.Net;

namespace Tcpcp.Core;

/// <summary>
/// The kernel's state of one TCP connection, captured behind a closed gate: all that a destination needs to go on exactly where the origin
/// stopped. The buffers are referenced, not copied.
/// </summary>
/// <remarks>
/// <code>
///        send queue                                   receive queue
///   SND.UNA        SND.NXT      write_seq        copied_seq        RCV.NXT
///      |     Sent     |   Unsent   |                 |    Unread    |
/// </code>
/// An own FIN is the last number before <see cref="WriteSeq"/>, the peer's FIN the last before <see cref="RcvNxt"/>; neither is in a buffer.
/// </remarks>
public sealed record ConnectionSnapshot
{
    /// <summary>The connection's name, as this host sees it.</summary>
    public required FourTuple Connection { get; init; }

    /// <summary>True for an IPv6 socket that carries IPv4.</summary>
    public bool IsV4Mapped { get; init; }

    /// <summary>State of the connection.</summary>
    public required TcpState State { get; init; }

    /// <summary>SND.UNA: the oldest number that the peer has not acknowledged.</summary>
    public required SequenceNumber SndUna { get; init; }

    /// <summary>SND.NXT: the next number to be sent.</summary>
    public required SequenceNumber SndNxt { get; init; }

    /// <summary>One past the last byte that the application wrote, and past the own FIN (the kernel's write_seq).</summary>
    public required SequenceNumber WriteSeq { get; init; }

    /// <summary>Bytes sent and not acknowledged: from <see cref="SndUna"/>.</summary>
    public ReadOnlyMemory<byte> Sent { get; init; }

    /// <summary>Bytes written and never sent: from <see cref="SndNxt"/>.</summary>
    public ReadOnlyMemory<byte> Unsent { get; init; }

    /// <summary>The application has closed its side for sending.</summary>
    public bool FinWritten { get; init; }

    /// <summary>RCV.NXT: the next number expected from the peer.</summary>
    public required SequenceNumber RcvNxt { get; init; }

    /// <summary>Bytes received and not read by the application: they end at <see cref="RcvNxt"/>.</summary>
    public ReadOnlyMemory<byte> Unread { get; init; }

    /// <summary>The peer has closed its side.</summary>
    public bool FinReceived { get; init; }

    /// <summary>Both windows.</summary>
    public required RepairWindow Window { get; init; }

    /// <summary>What the SYN exchange agreed on.</summary>
    public required NegotiatedOptions Negotiated { get; init; }

    /// <summary>The timestamp clock; of no meaning without the timestamp option.</summary>
    public TimestampClock Timestamps { get; init; }

    /// <summary>Options of the socket.</summary>
    public required TcpSocketOptions Options { get; init; }

    /// <summary>Congestion control.</summary>
    public required CongestionState Congestion { get; init; }

    /// <summary>The first host that forwards the peer's packets to this one; null if they come by themselves.</summary>
    public IPAddress? ForwardedBy { get; init; }

    /// <summary>Number of the redirection that made this host the owner; 0 if the connection was never passed.</summary>
    public ulong Epoch { get; init; }
}
