using Tcpcp.Core;
using Tcpcp.Core.Passing;

namespace Tcpcp.Explorer.Tests;

internal enum MessageKind
{
    Offer = 1,
    Ready,
    OfferRefused,
    Transfer,
    Resolve,
    Verdict,
    Forget,

    /// <summary>Origin to destination: the divert is taken back.</summary>
    Undo,

    /// <summary>To the redirector.</summary>
    Redirect,

    /// <summary>From the redirector.</summary>
    Acknowledge,

    /// <summary>Destination to origin: the Forget has come.</summary>
    Forgotten,
}

/// <summary>
/// A message in 16 bits: kind (4), pass (1), and either ticket (2 bits incarnation, 3 bits number) with a value (6), or a number (4) with a host (2).
/// </summary>
internal readonly record struct Message(ushort Packed)
{
    public Message(MessageKind kind, int pass, int ticket = 0, int value = 0)
        : this((ushort)((int)kind << 12 | pass << 11 | ticket << 6 | Fits(value))) { }

    public MessageKind Kind => (MessageKind)(Packed >> 12);

    public int Pass => Packed >> 11 & 1;

    public int Ticket => Packed >> 6 & 31;

    public int Value => Packed & 63;

    public static Message Redirect(int pass, ulong number, int host) => new(MessageKind.Redirect, pass, 0, (int)number << 2 | host);

    /// <summary>Of a redirection.</summary>
    public ulong Number => (ulong)(Value >> 2);

    /// <summary>Of a redirection.</summary>
    public int Host => Value & 3;

    public override string ToString() => Kind switch
    {
        MessageKind.Redirect => $"Redirect #{Number} to {Host} (pass {Pass})",
        MessageKind.Acknowledge => $"Acknowledge #{Value} (pass {Pass})",
        MessageKind.Offer => $"Offer (pass {Pass}, epoch {Value})",
        MessageKind.OfferRefused => $"OfferRefused (pass {Pass})",
        MessageKind.Verdict => $"Verdict {(PassVerdict)Value} (pass {Pass}, ticket {Codes.Describe(Ticket)})",
        MessageKind.Transfer => $"Transfer (pass {Pass}, ticket {Codes.Describe(Ticket)}, position {Value})",
        _ => $"{Kind} (pass {Pass}, ticket {Codes.Describe(Ticket)})",
    };

    private static int Fits(int value) => value is >= 0 and < 64 ? value : throw new InvalidOperationException($"{value} does not fit a message.");
}

/// <summary>Tickets and terms as small numbers.</summary>
internal static class Codes
{
    public static PassTicket Ticket(int code) => new(Incarnation(code >> 3), (ulong)(code & 7));

    public static int Of(PassTicket ticket) => ticket.Incarnation.ToByteArray()[0] << 3 | (int)ticket.Number;

    /// <summary>A host's life number n. Hosts need no names here: tickets of two destinations never meet in one pass.</summary>
    public static Guid Incarnation(int life) => new(life, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

    public static string Describe(int ticket) => $"{ticket & 7}@{ticket >> 3}";

    public static int Ticket(int incarnation, int number) => incarnation < 4 && number < 8
        ? incarnation << 3 | number : throw new InvalidOperationException("Too many lives or tickets.");
}
