namespace Tcpcp.Core.Passing;

/// <summary>What the origin's driver has to do. The effects of a step are performed in their order, each once; a crash may fall between any two.</summary>
internal abstract record OriginEffect
{
    public sealed record SendOffer(ulong Epoch) : OriginEffect;

    /// <summary>Appends to the journal, and returns when the record would survive the death of this process.</summary>
    /// <param name="Outcome">How the pass ends, from the record on with which that is decided.</param>
    public sealed record Record(OriginRecord Kind, PassTerms Terms, PassOutcome? Outcome = null) : OriginEffect;

    /// <summary>The application notes pass, destination, ticket and epoch, and repeats them should this agent lose its journal.</summary>
    public sealed record TellApplication(PassTerms Terms) : OriginEffect;

    /// <summary>The application stops: <see cref="OriginInput.Quiesced"/> or <see cref="OriginInput.StepFailed"/>.</summary>
    public sealed record Quiesce : OriginEffect;

    /// <summary>Asks the redirector to send the packets to the destination, or back here: <see cref="OriginInput.RedirectionAcknowledged"/>.</summary>
    public sealed record Redirect(ulong Number, bool ToDestination) : OriginEffect;

    /// <summary>Nothing of these connections goes in or out, whatever becomes of this process.</summary>
    public sealed record CloseGate : OriginEffect;

    public sealed record EnterRepair : OriginEffect;

    /// <summary>Takes the snapshots: <see cref="OriginInput.Captured"/> or <see cref="OriginInput.StepFailed"/>.</summary>
    public sealed record Capture : OriginEffect;

    public sealed record SendTransfer(PassTerms Terms) : OriginEffect;

    public sealed record SendResolve(PassTerms Terms) : OriginEffect;

    /// <summary>Lets the sockets go on; one that the kernel has killed is made again from the snapshot, if there is one.</summary>
    public sealed record Thaw : OriginEffect;

    public sealed record OpenGate : OriginEffect;

    /// <summary>The application goes on; where it has died, its connections are closed as the kernel would have closed them.</summary>
    public sealed record HandBack : OriginEffect;

    /// <summary>Closes the frozen copies: nothing is sent.</summary>
    public sealed record CloseSilently : OriginEffect;

    /// <summary>Waits until no packet comes here any more: <see cref="OriginInput.RoutingLeft"/>.</summary>
    public sealed record AwaitRoutingLeft(ulong Number) : OriginEffect;

    /// <summary>Tells the destination that nothing is left to do here, by the ticket of the terms.</summary>
    public sealed record SendForget(PassTerms Terms) : OriginEffect;
}

/// <summary>Records of the origin, each of which replaces the one before.</summary>
internal enum OriginRecord
{
    /// <summary>Effects may have begun; every one can be undone. It holds what an undo needs.</summary>
    Begun,

    /// <summary>The snapshots may have left. It holds them.</summary>
    Sending,

    /// <summary>This host owns the connections: the undo is to be completed.</summary>
    Undoing,

    /// <summary>Another host owns the connections, or nobody: the copies are to be closed.</summary>
    Releasing,

    /// <summary>The connections live here, or their copies are closed. The destination is to be told.</summary>
    Settled,

    /// <summary>Nothing is left to do.</summary>
    Done,
}

/// <summary>A state and what has to be done on the way into it.</summary>
internal readonly record struct OriginStep(OriginState State, params OriginEffect[] Effects);
