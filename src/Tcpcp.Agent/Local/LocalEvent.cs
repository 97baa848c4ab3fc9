namespace Tcpcp.Agent.Local;

/// <summary>What happened between the agent and a program of its host.</summary>
internal enum LocalEventKind
{
    Connected,
    Disconnected,
    Registered,
    Unregistered,

    /// <summary>A request was not met, and the program told.</summary>
    Refused,

    /// <summary>The program was sent away: it may not, speaks something else, or does not receive.</summary>
    SentAway,

    /// <summary>A fault of the agent.</summary>
    Broken,
}

/// <param name="ProcessId">The program's process; 0: unknown.</param>
/// <param name="Program">What it calls itself; empty before its Hello.</param>
/// <param name="Detail">A name or a reason.</param>
internal readonly record struct LocalEvent(LocalEventKind Kind, int ProcessId, string Program, string Detail);

/// <summary>Hears of every event. Must not block.</summary>
internal delegate void LocalObserver(LocalEvent what);
