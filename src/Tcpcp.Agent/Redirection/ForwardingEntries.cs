using System.Net;
using System.Security.Cryptography;
using Tcpcp.Core;
using Tcpcp.Linux.Switching;

namespace Tcpcp.Agent.Redirection;

/// <summary>
/// The home's forwarding entries: which connections go to which host, as the packet switch has them, and a number of each. The entries outlive the agent and
/// the numbers do not: who has learnt one of an earlier agent has to ask again. Thread-safe.
/// </summary>
internal sealed class ForwardingEntries
{
    private readonly Lock _lock = new();
    private readonly Dictionary<FourTuple, (IPAddress NextHop, ulong Number)> _entries = [];
    private readonly IPacketSwitch _switch;
    private ulong _lastNumber = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong)));

    /// <param name="packetSwitch">With the entries of the agent before.</param>
    public ForwardingEntries(IPacketSwitch packetSwitch)
    {
        _switch = packetSwitch;
        foreach (SwitchEntry entry in packetSwitch.List().Select(one => one.Entry))
        {
            if (entry.Target.NextHop is { } nextHop)
                _entries[entry.Connection] = (nextHop, ++_lastNumber);
        }
    }

    /// <summary>Their packets go there from now on.</summary>
    public void Set(IReadOnlyCollection<FourTuple> connections, int interfaceIndex, Func<FourTuple, IPAddress> nextHopOf)
    {
        SwitchEntry[] entries = [.. connections.Select(connection => new SwitchEntry(connection, PacketTarget.Redirect(interfaceIndex, nextHopOf(connection))))];
        lock (_lock)
        {
            _switch.Set(entries);
            foreach (SwitchEntry entry in entries)
                _entries[entry.Connection] = (entry.Target.NextHop!, ++_lastNumber);
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

    /// <summary>Those that go to a host.</summary>
    /// <param name="named">Of these; empty: of all.</param>
    public IReadOnlyList<ForwardedConnection> ListTo(OtherHost owner, IReadOnlyCollection<FourTuple> named)
    {
        lock (_lock)
        {
            IEnumerable<FourTuple> asked = named.Count == 0 ? _entries.Keys : named;
            return [.. asked.Where(connection => GoesTo(owner, connection)).Select(connection => new ForwardedConnection(connection, _entries[connection].Number))];
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
            foreach ((FourTuple connection, ulong number) in ended)
            {
                if (!_entries.TryGetValue(connection, out (IPAddress NextHop, ulong Number) entry))
                    continue;
                if (entry.Number == number && GoesTo(owner, connection) && !isKept(connection))
                    Remove(connection);
                else
                    standing.Add(connection);
            }
        }

        return standing;
    }

    private bool GoesTo(OtherHost host, FourTuple connection) =>
        _entries.TryGetValue(connection, out (IPAddress NextHop, ulong Number) entry) && host.Addresses.Contains(entry.NextHop);

    // First in the kernel: what fails there is tried again.
    private void Remove(FourTuple connection)
    {
        _switch.Remove(connection);
        _entries.Remove(connection);
    }
}
