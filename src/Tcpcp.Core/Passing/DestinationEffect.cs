namespace Tcpcp.Core.Passing;

/// <summary>What the destination's driver has to do. The effects of a step are performed in their order; a crash may fall between any two.</summary>
internal abstract record DestinationEffect
{
    /// <summary>Appends to the journal, and returns when the record would survive the death of this process.</summary>
    public sealed record Record(DestinationRecord Kind, PassTerms Terms) : DestinationEffect;

    public sealed record CloseGate : DestinationEffect;

    public sealed record ArmHold : DestinationEffect;

    public sealed record SendReady(PassTerms Terms) : DestinationEffect;

    public sealed record SendOfferRefused(PassFailure Failure) : DestinationEffect;

    /// <summary>Makes the sockets behind the gate; <see cref="DestinationInput.Declined"/> if the kernel refuses.</summary>
    public sealed record RestoreDormant : DestinationEffect;

    /// <summary>Shows the dormant sockets: <see cref="DestinationInput.ApplicationTook"/> or <see cref="DestinationInput.Declined"/>.</summary>
    public sealed record HandToApplication : DestinationEffect;

    /// <summary>After the death of this agent: gets the dormant sockets back from the application, or makes them again from the record.</summary>
    public sealed record RecoverDormant : DestinationEffect;

    public sealed record LeaveRepair : DestinationEffect;

    /// <summary>Opens the gate and lets what was held arrive, if this host is the owner; otherwise only opens it.</summary>
    public sealed record OpenGate : DestinationEffect;

    /// <summary>The application goes on; where it has died, its connections are closed as the kernel would have closed them.</summary>
    public sealed record Go : DestinationEffect;

    /// <summary>Closes the dormant copies: nothing is sent. The gate stays closed.</summary>
    public sealed record Discard : DestinationEffect;

    public sealed record SendVerdict(PassTicket Ticket, PassVerdict Verdict, PassFailure Failure) : DestinationEffect;

    public sealed record SendActive(PassTerms Terms) : DestinationEffect;

    /// <summary>The origin need not say again that it is done.</summary>
    public sealed record SendForgotten(PassTicket Ticket) : DestinationEffect;

    /// <summary>Sends the origin what was held, in order, and then that this was all.</summary>
    public sealed record SendHeld(PassTicket Ticket) : DestinationEffect;
}

/// <summary>Records of the destination, each of which replaces the one before.</summary>
internal enum DestinationRecord
{
    /// <summary>A ticket was given. It does not outlive the agent that gave it.</summary>
    Offered,

    /// <summary>The verdict, and with it the snapshots and the application's state.</summary>
    Accepted,

    /// <summary>The connections may live already.</summary>
    Activating,

    /// <summary>They do.</summary>
    Active,

    /// <summary>The verdict.</summary>
    Refused,

    /// <summary>Nothing is left to do.</summary>
    Forgotten,
}

/// <summary>A state and what has to be done on the way into it.</summary>
internal readonly record struct DestinationStep(DestinationState State, params DestinationEffect[] Effects);
