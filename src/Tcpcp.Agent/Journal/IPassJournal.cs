using Tcpcp.Core;
using Tcpcp.Core.Wire;

namespace Tcpcp.Agent.Journal;

/// <summary>
/// What an agent must still know after its death. A crash of the process must be survived, one of the host need not be: it ends the host's sockets anyway.
/// Thread-safe.
/// </summary>
internal interface IPassJournal
{
    /// <summary>Identity of this journal, made with it: a new one, one that was lost or damaged is another.</summary>
    Guid Incarnation { get; }

    /// <summary>What is known of the passes that are not ended, as it was when the journal was opened: one record each, in the order of their beginnings.</summary>
    IReadOnlyList<JournalRecord> ReadAtStart();

    /// <summary>A number that was never given before in this incarnation.</summary>
    ulong TakeTicketNumber();

    /// <summary>Keeps room for the records of a pass, so that its verdict cannot fail for want of it.</summary>
    /// <param name="bytes">Of all its records together.</param>
    /// <exception cref="JournalFullException">There is not so much.</exception>
    void Reserve(PassId pass, long bytes);

    /// <summary>Adds a record. When this returns it survives the death of the process; when it throws there is no such record.</summary>
    /// <exception cref="JournalFullException">There is no room.</exception>
    void Append(JournalRecord record);
}

/// <summary>The journal has no room: nothing was recorded.</summary>
internal sealed class JournalFullException(string message, Exception? inner = null) : Exception(message, inner);
