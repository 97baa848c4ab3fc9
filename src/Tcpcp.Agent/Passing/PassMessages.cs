using Google.Protobuf;
using Tcpcp.Core;
using Tcpcp.Core.Wire;

namespace Tcpcp.Agent.Passing;

/// <summary>The identity that every message carries.</summary>
internal static class PassMessages
{
    public static PassMessage New(PassId pass, PassTicket? ticket)
    {
        PassMessage message = new() { PassId = ToBytes(pass) };
        if (ticket is { } known)
            message.Ticket = ToMessage(known);
        return message;
    }

    /// <summary>The pass does not use its link any more.</summary>
    public static PassMessage Hangup(PassId pass)
    {
        PassMessage message = New(pass, null);
        message.Hangup = new Hangup();
        return message;
    }

    public static ByteString ToBytes(PassId pass) => ByteString.CopyFrom(pass.Value.ToByteArray());

    public static Ticket ToMessage(PassTicket ticket) =>
        new() { Incarnation = BytesOf(ticket.Incarnation), Number = ticket.Number };

    public static ByteString BytesOf(Guid incarnation) => ByteString.CopyFrom(incarnation.ToByteArray());

    /// <returns>Null if the message has no proper identity.</returns>
    public static PassId? IdOf(PassMessage message) => message.PassId.Length == 16 ? new PassId(new Guid(message.PassId.Span)) : null;

    /// <returns>Null if the message has no proper ticket.</returns>
    public static PassTicket? TicketOf(PassMessage message) =>
        message.Ticket is { Incarnation.Length: 16 } ticket ? new PassTicket(new Guid(ticket.Incarnation.Span), ticket.Number) : null;
}
