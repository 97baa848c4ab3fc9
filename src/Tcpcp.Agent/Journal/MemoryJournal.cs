using Tcpcp.Core;
using Tcpcp.Core.Wire;

namespace Tcpcp.Agent.Journal;

/// <summary>A journal that ends with its process, for an agent inside of an application: what it would recover ends with the process too.</summary>
internal sealed class MemoryJournal : IPassJournal
{
    private readonly Lock _lock = new();
    private readonly JournalState _state = new();

    public Guid Incarnation { get; } = Guid.NewGuid();

    public IReadOnlyList<JournalRecord> ReadAtStart()
    {
        lock (_lock)
            return _state.Open;
    }

    public ulong TakeTicketNumber()
    {
        lock (_lock)
            return ++_state.LastTicket;
    }

    public void Reserve(PassId pass, long bytes)
    {
    }

    public void Append(JournalRecord record)
    {
        lock (_lock)
            _state.Add(record);
    }
}
