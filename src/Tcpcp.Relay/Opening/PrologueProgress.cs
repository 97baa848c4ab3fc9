namespace Tcpcp.Relay.Opening;

/// <summary>How far what a client says first has been understood.</summary>
internal enum PrologueProgress
{
    /// <summary>More bytes are needed.</summary>
    Unfinished,

    Done,

    /// <summary>It is not what is expected, whatever still comes.</summary>
    Invalid,
}
