namespace Tcpcp.Relay.Sessions;

/// <summary>Why a session has ended, as the log and the metrics name it.</summary>
internal enum SessionEnd
{
    /// <summary>The client closed first, and then the server.</summary>
    ClientClosed,

    /// <summary>The server closed first, and then the client.</summary>
    ServerClosed,

    /// <summary>The client's connection was reset.</summary>
    ClientReset,

    /// <summary>The server's connection was reset.</summary>
    ServerReset,

    /// <summary>The client does not answer any more (keep-alive, user timeout).</summary>
    ClientUnreachable,

    /// <summary>The server does not answer any more (keep-alive, user timeout).</summary>
    ServerUnreachable,

    /// <summary>No byte went either way for the idle timeout.</summary>
    Idle,

    /// <summary>One side had closed, and the other one was silent for the half-closed timeout.</summary>
    HalfClosed,

    /// <summary>It lived as long as a session may.</summary>
    Lifetime,

    /// <summary>It goes on at another host.</summary>
    Passed,

    /// <summary>It goes on in a new process of this host's relay.</summary>
    HandedOver,

    /// <summary>The agent does not know which host has it; it does not go on here.</summary>
    InDoubt,

    /// <summary>The host that it was passed to has lost it: no host has it any more.</summary>
    Lost,

    /// <summary>The relay was stopped.</summary>
    Shutdown,

    /// <summary>The client's address may not.</summary>
    Denied,

    /// <summary>The client's address has as many sessions as it may.</summary>
    SourceLimit,

    /// <summary>The client did not say in time what it had to say first.</summary>
    PrologueTimeout,

    /// <summary>What the client said first was no PROXY header, or no TLS.</summary>
    BadPrologue,

    /// <summary>No pool is configured for the name that the client asked for.</summary>
    NoRoute,

    /// <summary>No server takes sessions.</summary>
    NoServer,

    /// <summary>All servers are full, and so is the queue.</summary>
    QueueFull,

    /// <summary>No server had room in time.</summary>
    QueueTimeout,

    /// <summary>No server could be connected to.</summary>
    ConnectFailed,

    /// <summary>A fault of the relay's own.</summary>
    Fault,
}

/// <summary>The names as operators see them.</summary>
internal static class SessionEndNames
{
    private static readonly string[] s_names = [.. Enum.GetValues<SessionEnd>().Select(Spell)];

    /// <summary>In words with dashes: <c>client-closed</c>.</summary>
    public static string Name(this SessionEnd end) => s_names[(int)end];

    private static string Spell(SessionEnd end) =>
        string.Concat(end.ToString().Select((letter, i) => char.IsUpper(letter) ? (i == 0 ? "" : "-") + char.ToLowerInvariant(letter) : $"{letter}"));
}
