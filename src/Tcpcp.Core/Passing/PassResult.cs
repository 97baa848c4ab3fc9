namespace Tcpcp.Core;

/// <summary>Who owns the connection.</summary>
public enum ConnectionOwner
{
    /// <summary>The host that had it: it goes on there.</summary>
    Origin,

    /// <summary>The host it was passed to.</summary>
    Destination,

    /// <summary>The origin cannot know until the destination answers; its copy stays frozen.</summary>
    InDoubt,

    /// <summary>Nobody: it ended, or it was lost with the destination.</summary>
    Nobody,
}

/// <summary>Why a pass did not succeed.</summary>
public enum PassFailure
{
    /// <summary>It succeeded.</summary>
    None = 0,

    /// <summary>The connection cannot be passed; nothing was changed.</summary>
    NotPassable,

    /// <summary>The destination does not take it from this origin, for this application or address.</summary>
    RefusedByPolicy,

    /// <summary>At the destination nobody has registered the application.</summary>
    NoApplication,

    /// <summary>Another pass of the connection is open, or the four-tuple is alive at the destination.</summary>
    Conflict,

    /// <summary>The destination's kernel did not restore it.</summary>
    RestoreRefusedByKernel,

    /// <summary>The destination found the message or the snapshot invalid.</summary>
    InvalidSnapshot,

    /// <summary>The application at the destination did not want it.</summary>
    RefusedByApplication,

    /// <summary>The packets could not be diverted.</summary>
    RedirectionFailed,

    /// <summary>The destination was not reached, or did not answer in time, before anything was sent.</summary>
    DestinationUnreachable,

    /// <summary>The offer or the decision took too long.</summary>
    Expired,

    /// <summary>The destination lost its memory of the pass after the snapshot was sent: the connection is lost with it.</summary>
    DestinationForgot,

    /// <summary>The verdict has not been heard.</summary>
    InDoubt,

    /// <summary>The caller gave up before the snapshot was sent.</summary>
    Cancelled,

    /// <summary>The agent at the origin died meanwhile; what it had begun was undone.</summary>
    Interrupted,

    /// <summary>The journal had no room; nothing was sent.</summary>
    JournalFull,

    /// <summary>The operator gave the connection up while its pass was in doubt.</summary>
    Abandoned,
}

/// <summary>How a pass ended.</summary>
/// <param name="Failure">None, or why it did not succeed.</param>
/// <param name="Owner">Who owns the connection now.</param>
/// <param name="Detail">One sentence for a person; empty on success.</param>
public readonly record struct PassResult(PassFailure Failure, ConnectionOwner Owner, string Detail)
{
    /// <summary>Time from the divert to the activation; null if it is not known.</summary>
    public TimeSpan? Blackout { get; init; }

    /// <summary>True if the destination owns the connection now.</summary>
    public bool Succeeded => Failure == PassFailure.None && Owner == ConnectionOwner.Destination;
}
