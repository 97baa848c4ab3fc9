using Tcpcp.Core;
using Tcpcp.Core.Wire;

namespace Tcpcp.Agent.Journal;

/// <summary>What the records of a journal come to: the last of every pass that is not ended, and the highest ticket. Not thread-safe.</summary>
internal sealed class JournalState
{
    private readonly Dictionary<(PassId Pass, JournalSide Side), JournalRecord> _open = [];
    private readonly List<(PassId Pass, JournalSide Side)> _order = [];

    public ulong LastTicket { get; set; }

    /// <summary>One record for each pass and side, in the order of their beginnings.</summary>
    public IReadOnlyList<JournalRecord> Open => [.. _order.Select(key => _open[key])];

    public void Add(JournalRecord record)
    {
        (PassId, JournalSide) key = (JournalRecords.IdOf(record), record.Side);
        if (record.Side == JournalSide.Destination)
            LastTicket = Math.Max(LastTicket, record.Ticket?.Number ?? 0);
        if (JournalRecords.IsLast(record))
        {
            if (_open.Remove(key))
                _order.Remove(key);
            return;
        }

        if (!_open.TryGetValue(key, out JournalRecord? before))
            _order.Add(key);
        _open[key] = JournalRecords.Merge(before, record);
    }
}
