using System.Net;
using System.Security.Cryptography;
using Tcpcp.Agent.Journal;
using Tcpcp.Agent.Link;
using Tcpcp.Agent.Passing;
using Tcpcp.Core;
using Tcpcp.Core.Passing;
using Tcpcp.Core.Wire;
using Tcpcp.Linux.Switching;
using FourTuple = Tcpcp.Core.FourTuple;

namespace Tcpcp.Agent.Redirection;

/// <summary>
/// The home's forwarding entries: which connections go to which host, as the packet switch has them, and a number of each. The entries outlive the agent and
/// the numbers do not: who has learnt one of an earlier agent has to ask again. What an owner has ordered and may take back is in the journal. Thread-safe.
/// </summary>
internal sealed class ForwardingEntries : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<FourTuple, ForwardingEntry> _entries = [];
    private readonly IPacketSwitch _switch;
    private readonly IPassJournal _journal;
    private readonly OutgoingPorts _ports = new();
    private ulong _lastNumber = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong)));

    /// <param name="packetSwitch">With the entries of the agent before.</param>
    /// <param name="journal">With the orders that it has obeyed.</param>
    public ForwardingEntries(IPacketSwitch packetSwitch, IPassJournal journal)
    {
        (_switch, _journal) = (packetSwitch, journal);
        foreach (SwitchEntry entry in packetSwitch.List().Select(one => one.Entry))
        {
            if (entry.Target.NextHop is not { } nextHop)
                continue;
            _entries[entry.Connection] = new ForwardingEntry(nextHop, ++_lastNumber);
            _ports.Hold(entry.Connection);
        }

        foreach (JournalRecord record in journal.ReadAtStart().Where(record => record.Side == JournalSide.Home))
            Restore(record);
    }

    /// <summary>Their packets go there from now on.</summary>
    public void Set(IReadOnlyCollection<FourTuple> connections, int interfaceIndex, Func<FourTuple, IPAddress> nextHopOf)
    {
        SwitchEntry[] entries = [.. connections.Select(connection => new SwitchEntry(connection, PacketTarget.Redirect(interfaceIndex, nextHopOf(connection))))];
        lock (_lock)
        {
            _switch.Set(entries);
            foreach (SwitchEntry entry in entries)
                Replace(entry.Connection, new ForwardingEntry(entry.Target.NextHop!, ++_lastNumber));
        }
    }

    /// <summary>An owner passes connections on to a third host, or takes that back.</summary>
    /// <param name="owner">Who orders it.</param>
    /// <param name="target">Where they go: the owner itself to take them back.</param>
    public RepointAnswer Repoint(OtherHost owner, OtherHost target, RepointOrder order, int interfaceIndex)
    {
        lock (_lock)
        {
            foreach (FourTuple connection in order.Connections)
            {
                if (!_entries.TryGetValue(connection, out ForwardingEntry? entry))
                    return new RepointAnswer(0, $"It does not forward the packets of {connection}.");
                if (!entry.GoesTo(owner) && !CertificateNames.AreSame(entry.Mover, owner.Name))
                    return new RepointAnswer(0, $"It does not forward the packets of {connection} to {owner.Name}, which therefore cannot say where they go.");
                if (target.AddressFor(connection) is null)
                    return new RepointAnswer(0, $"It knows no address of {target.Name} that packets of {connection} could be forwarded to: see destinations:{target.Name}:packets.");
            }

            ulong held = order.Connections.Max(connection => _entries[connection].Order.Number);
            if (order.IsQuestion || held > order.Number)
                return new RepointAnswer(held);
            FourTuple[] moved = [.. order.Connections.Where(connection =>
                RedirectorTable.Next(_entries[connection].Order, new RedirectionOrder(order.Number, new RedirectionTarget(target.Name))).Effects[0] is RedirectorEffect.Place)];
            bool isBack = target == owner;
            if (moved.Length > 0 && !isBack)
                _journal.Append(RecordOf(owner, target, order)); // before the first effect: the next agent must let the owner take it back
            _switch.Set([.. moved.Select(connection => new SwitchEntry(connection, PacketTarget.Redirect(interfaceIndex, target.AddressFor(connection)!)))]);
            foreach (FourTuple connection in moved)
            {
                Replace(connection, new ForwardingEntry(target.AddressFor(connection)!, ++_lastNumber)
                {
                    Order = new RedirectorState.Placed(order.Number, new RedirectionTarget(target.Name)),
                    Mover = isBack ? "" : owner.Name,
                    Pass = isBack ? null : order.Pass,
                });
            }

            return new RepointAnswer(order.Number);
        }
    }

    /// <summary>The pass by which an owner has sent connections to a third host is over: they are that one's for good.</summary>
    public RepointAnswer Settle(OtherHost mover, RepointOrder order)
    {
        lock (_lock)
        {
            foreach (FourTuple connection in order.Connections)
            {
                if (_entries.TryGetValue(connection, out ForwardingEntry? entry) && entry.Pass == order.Pass && CertificateNames.AreSame(entry.Mover, mover.Name))
                    Replace(connection, entry with { Mover = "", Pass = null });
            }
        }

        return new RepointAnswer(order.Number);
    }

    /// <summary>They are the owner's for good.</summary>
    public void Claim(OtherHost owner, IReadOnlyCollection<FourTuple> connections)
    {
        lock (_lock)
        {
            foreach (FourTuple connection in connections)
            {
                if (_entries.TryGetValue(connection, out ForwardingEntry? entry) && entry.GoesTo(owner) && entry.IsContestedBy(owner))
                    Replace(connection, entry with { Mover = "", Pass = null });
            }
        }
    }

    /// <summary>Their packets come to this host again.</summary>
    public void Remove(IReadOnlyCollection<FourTuple> connections)
    {
        lock (_lock)
        {
            foreach (FourTuple connection in connections)
                Remove(connection);
        }
    }

    /// <summary>Whether its packets go anywhere.</summary>
    public bool Contains(FourTuple connection)
    {
        lock (_lock)
            return _entries.ContainsKey(connection);
    }

    /// <summary>What goes where.</summary>
    public IReadOnlyList<(FourTuple Connection, IPAddress NextHop)> List()
    {
        lock (_lock)
            return [.. _entries.Select(one => (one.Key, one.Value.NextHop))];
    }

    /// <summary>Those that go to a host.</summary>
    /// <param name="named">Of these; empty: of all, and those that it has sent on and may take back.</param>
    public IReadOnlyList<ForwardedConnection> ListTo(OtherHost owner, IReadOnlyCollection<FourTuple> named)
    {
        lock (_lock)
        {
            IEnumerable<FourTuple> asked = named.Count == 0 ? _entries.Keys : named;
            IEnumerable<ForwardedConnection> there = asked.Where(connection => _entries.TryGetValue(connection, out ForwardingEntry? entry) && entry.GoesTo(owner))
                .Select(connection => new ForwardedConnection(connection, _entries[connection].Number, _entries[connection].IsContestedBy(owner)));
            IEnumerable<ForwardedConnection> moved = named.Count > 0 ? [] : _entries.Where(one => one.Value.Pass is not null && CertificateNames.AreSame(one.Value.Mover, owner.Name))
                .Select(one => new ForwardedConnection(one.Key, one.Value.Number) { MovedBy = one.Value.Pass });
            return [.. there, .. moved];
        }
    }

    /// <summary>Removes what goes to a host by just these redirections.</summary>
    /// <param name="isKept">What must not be removed now.</param>
    /// <returns>What goes somewhere still.</returns>
    public IReadOnlyList<FourTuple> End(OtherHost owner, IReadOnlyCollection<ForwardedConnection> ended, Func<FourTuple, bool> isKept)
    {
        List<FourTuple> standing = [];
        lock (_lock)
        {
            foreach ((FourTuple connection, ulong number, _) in ended)
            {
                if (!_entries.TryGetValue(connection, out ForwardingEntry? entry))
                    continue;
                // What its origin may take back has not ended: the one that asks has refused it, or has lost its journal.
                if (entry.Number == number && entry.GoesTo(owner) && !entry.IsContestedBy(owner) && !isKept(connection))
                    Remove(connection);
                else
                    standing.Add(connection);
            }
        }

        return standing;
    }

    public void Dispose() => _ports.Dispose();

    // First in the kernel: what fails there is tried again.
    private void Remove(FourTuple connection)
    {
        _switch.Remove(connection);
        Replace(connection, null);
    }

    // A pass none of whose connections can be taken back any more needs no memory.
    private void Replace(FourTuple connection, ForwardingEntry? entry)
    {
        bool isNew = !_entries.TryGetValue(connection, out ForwardingEntry? old);
        PassId? before = old?.Pass;
        if (entry is not null)
            _entries[connection] = entry;
        if (entry is not null && isNew)
            _ports.Hold(connection);
        if (entry is null && _entries.Remove(connection))
            _ports.Release(connection);
        if (before is { } pass && entry?.Pass != before && !_entries.Values.Any(other => other.Pass == before))
            Close(pass);
    }

    private void Restore(JournalRecord record)
    {
        PassId pass = JournalRecords.IdOf(record);
        bool stands = false;
        foreach (FourTuple connection in record.Connections.Select(EndPointWire.FromMessage))
        {
            if (!_entries.TryGetValue(connection, out ForwardingEntry? entry))
                continue;
            stands = true;
            _entries[connection] = entry with
            {
                Order = new RedirectorState.Placed(record.Number, new RedirectionTarget(record.Destination)),
                Mover = record.OriginName,
                Pass = pass,
            };
        }

        if (!stands)
            Close(pass);
    }

    private void Close(PassId pass)
    {
        try
        {
            _journal.Append(new JournalRecord { PassId = PassMessages.ToBytes(pass), Side = JournalSide.Home, Step = JournalStep.Done });
        }
        catch (JournalFullException)
        {
            // The next agent finds that it is of no use.
        }
    }

    private static JournalRecord RecordOf(OtherHost owner, OtherHost target, RepointOrder order) => new()
    {
        PassId = PassMessages.ToBytes(order.Pass),
        Side = JournalSide.Home,
        Step = JournalStep.Repointed,
        Connections = { order.Connections.Select(EndPointWire.ToMessage) },
        OriginName = owner.Name,
        Destination = target.Name,
        Number = order.Number,
    };
}
