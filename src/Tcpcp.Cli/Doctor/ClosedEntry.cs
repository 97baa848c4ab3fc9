using Tcpcp.Core;

namespace Tcpcp.Cli.Doctor;

/// <summary>What stands behind a connection whose packets the gate drops.</summary>
internal enum EntryUse
{
    /// <summary>A socket with the gate's mark: a frozen or dormant connection.</summary>
    Gated,

    /// <summary>No such socket, but an agent runs here: it may be of an open pass.</summary>
    Agent,

    /// <summary>Nothing: left by a program that has ended, or the guard of a released connection whose packets may still come here.</summary>
    Leaked,
}

/// <summary>An entry of the gate's sets.</summary>
internal readonly record struct ClosedEntry(FourTuple Connection, EntryUse Use);
