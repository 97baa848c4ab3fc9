namespace Tcpcp.Core.Passing;

/// <summary>What both sides have agreed on with Ready.</summary>
/// <param name="Ticket">The destination's.</param>
/// <param name="Epoch">Number of this pass among those of the connection; the owner counts.</param>
internal readonly record struct PassTerms(PassTicket Ticket, ulong Epoch)
{
    /// <summary>Number of the redirection to the destination.</summary>
    public ulong DivertNumber => 2 * Epoch;

    /// <summary>Number of the redirection back: above the divert's and below that of the next pass.</summary>
    public ulong UndoNumber => DivertNumber + 1;

    /// <summary>The epoch of the pass that a redirection's number belongs to.</summary>
    public static ulong EpochOf(ulong number) => number / 2;
}

/// <summary>How a pass ends, as its origin knows it.</summary>
/// <param name="Failure">None, or why it did not succeed.</param>
internal readonly record struct PassOutcome(PassFailure Failure, ConnectionOwner Owner);

/// <summary>The destination's decision, or that it cannot know it.</summary>
internal enum PassVerdict
{
    Accepted,
    Refused,

    /// <summary>The ticket is of another incarnation: it may have accepted, been active and lost its memory.</summary>
    Unknown,
}
