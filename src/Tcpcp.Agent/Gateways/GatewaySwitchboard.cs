using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Tcpcp.Agent.Link;
using Tcpcp.Agent.Redirection;
using Tcpcp.Core;
using Tcpcp.Core.Passing;
using Tcpcp.Linux.Switching;

namespace Tcpcp.Agent.Gateways;

/// <summary>
/// A gateway's knowledge: which backend has which connection. All of it is in the switch, in the kernel, and outlives the agent. Connections without an entry go by the
/// table. Thread-safe.
/// </summary>
/// <remarks>
/// An entry has the backend that has the connection, the number of the last redirection, and who has ordered it. As long as that is somebody else the pass is not over, and the entry
/// stays whatever its backend says. A backend that is taken out of the configuration leaves: it gets nothing that opens, nor any pass, keeps the connections that it has, and is gone with the last.
/// </remarks>
internal sealed class GatewaySwitchboard : IRedirectorService, IPacketHome
{
    private readonly Lock _lock = new();
    private readonly GatewaySwitch _switch;
    private readonly int _interfaceIndex;
    private readonly Dictionary<string, int> _numbers = new(StringComparer.OrdinalIgnoreCase); // of backends
    private readonly Dictionary<int, OtherHost> _backends = [];
    private readonly HashSet<int> _leaving = [];
    private readonly Dictionary<FourTuple, (GatewayEntry Entry, ulong Stamp)> _entries = [];
    private readonly GatewayPlacement[] _placements;
    private GatewayOptions _options;
    private ulong _lastStamp = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong)));

    /// <summary>Puts the configured services and backends into the switch. Where a backend comes or goes a change begins; until its end every connection goes where it went.</summary>
    /// <param name="packetSwitch">With what the agent before has left.</param>
    /// <param name="interfaceIndex">The interface that the backends are behind.</param>
    public GatewaySwitchboard(GatewaySwitch packetSwitch, GatewayOptions options, int interfaceIndex)
    {
        (_switch, _options, _interfaceIndex) = (packetSwitch, options, interfaceIndex);
        NumberBackends(packetSwitch.ListBackends());
        foreach (GatewayEntry entry in packetSwitch.ListEntries())
        {
            if (!_backends.ContainsKey(entry.Backend))
                packetSwitch.Remove(entry.Connection); // nobody will say any more when it ends
            else if (_backends.ContainsKey(entry.Orderer))
                _entries[entry.Connection] = (entry, ++_lastStamp);
            else
                Set([entry with { Orderer = entry.Backend }]); // who began the pass is gone for good
        }

        packetSwitch.SetServices([.. options.Services.SelectMany(service => service.EndPoints()).Distinct()]);
        _placements = packetSwitch.ReadPlacements();
        if (Begin())
        {
            KeepOpened();
            packetSwitch.SetPlacements(_placements);
        }

        foreach (int gone in packetSwitch.ListBackends().Keys.Where(number => !_backends.ContainsKey(number)))
            packetSwitch.RemoveBackend(gone);
    }

    public Guid Incarnation => _switch.Incarnation;

    /// <summary>It is not known of every connection where it goes: the backends have to say what they have.</summary>
    public bool IsChanging { get; private set; }

    /// <summary>Connections with an entry.</summary>
    public int Entries
    {
        get
        {
            lock (_lock)
                return _entries.Count;
        }
    }

    /// <summary>Backends that were taken out of the configuration and have connections still.</summary>
    public IReadOnlyList<string> Leaving
    {
        get
        {
            lock (_lock)
                return [.. _leaving.Select(number => _backends[number].Name)];
        }
    }

    /// <summary>From now on what opens goes to other backends than before; what is open stays where it is. Services stay as they are.</summary>
    /// <returns>Whether the backends have to say what they have, before <see cref="FinishChange"/>.</returns>
    public bool Change(IReadOnlyList<GatewayBackend> backends)
    {
        lock (_lock)
        {
            _options = _options with { Backends = backends };
            HashSet<string> wanted = new(backends.Select(backend => backend.Host.Name), StringComparer.OrdinalIgnoreCase);
            NumberBackends(_backends.Where(one => !wanted.Contains(one.Value.Name)).ToDictionary(one => one.Key, one => HopOf(one.Value)));
            _leaving.Clear();
            _leaving.UnionWith(_backends.Where(one => !wanted.Contains(one.Value.Name)).Select(one => one.Key));
            if (Begin())
            {
                KeepOpened();
                _switch.SetPlacements(_placements);
            }

            IsChanging |= _leaving.Count > 0;
            return IsChanging;
        }
    }

    /// <summary>The connections whose pass is not over, of those that were redirected before: with who has them redirected, and to whom.</summary>
    public IReadOnlyList<UnsettledEntry> ListUnsettled()
    {
        lock (_lock)
        {
            return
            [
                .. _entries.Values.Where(known => known.Entry.Orderer != known.Entry.Backend)
                    .Select(known => new UnsettledEntry(known.Entry.Connection, known.Stamp, known.Entry.Number, _backends[known.Entry.Backend].Name, _backends[known.Entry.Orderer].Name)),
            ];
        }
    }

    /// <summary>The pass that they were redirected for is over for good, whatever its origin still says: from now on their backend says when they end.</summary>
    /// <returns>How many there were still.</returns>
    public int Settle(IEnumerable<UnsettledEntry> entries)
    {
        lock (_lock)
        {
            GatewayEntry[] settled = [.. entries.Where(one => _entries.TryGetValue(one.Connection, out (GatewayEntry, ulong Stamp) known) && known.Stamp == one.Stamp)
                .Select(one => _entries[one.Connection].Entry).Select(entry => entry with { Orderer = entry.Backend })];
            Set(settled);
            RemoveGone();
            return settled.Length;
        }
    }

    /// <summary>A backend that leaves does not say what it has: it is gone with all that it had, and ends no pass any more.</summary>
    /// <param name="owned">What the others have.</param>
    public void GiveUp(string backend, IReadOnlySet<FourTuple> owned)
    {
        lock (_lock)
        {
            if (!_numbers.TryGetValue(backend, out int number) || !_leaving.Contains(number))
                return;
            GatewayEntry[] concerned = [.. _entries.Values.Select(known => known.Entry).Where(entry => entry.Backend == number || entry.Orderer == number)];
            foreach (GatewayEntry entry in concerned.Where(entry => entry.Backend == number || !owned.Contains(entry.Connection)))
                Remove(entry.Connection);
            Set([.. concerned.Where(entry => _entries.ContainsKey(entry.Connection)).Select(entry => entry with { Orderer = entry.Backend })]);
        }
    }

    public (string? Obstacle, ulong LastNumber) Examine(string caller, IReadOnlyList<FourTuple> connections, string host)
    {
        lock (_lock)
        {
            int asking = NumberOf(caller);
            string? obstacle = FindObstacle(connections, host)
                ?? (_leaving.Contains(_numbers[host]) ? $"'{host}' was taken out of gateway:backends, and gets no connections any more." : null)
                ?? connections.Where(connection => !MayMove(asking, connection)).Select(connection => $"{connection} is not {caller}'s here.").FirstOrDefault();
            return (obstacle, connections.Max(connection => _entries.TryGetValue(connection, out (GatewayEntry Entry, ulong) known) ? known.Entry.Number : 0));
        }
    }

    public IReadOnlyList<ulong> Redirect(string caller, IReadOnlyList<FourTuple> connections, IReadOnlyList<ulong> numbers, string host, bool isSettled)
    {
        lock (_lock)
        {
            int orderer = NumberOf(caller);
            if (FindObstacle(connections, host) is { } obstacle)
                throw new InvalidOperationException(obstacle);
            int target = _numbers[host];
            List<GatewayEntry> changed = [];
            ulong[] holding = new ulong[connections.Count];
            for (int i = 0; i < holding.Length; i++)
            {
                FourTuple connection = connections[i];
                RedirectorStep step = RedirectorTable.Next(StateOf(connection), new RedirectionOrder(numbers[i], new RedirectionTarget(host)));
                holding[i] = ((RedirectorState.Placed)step.State).Number;
                bool isPlaced = step.Effects.OfType<RedirectorEffect.Place>().Any();
                if (isPlaced && !MayMove(orderer, connection))
                    throw new UnauthorizedAccessException($"{connection} is not {caller}'s here.");
                GatewayEntry entry = new(connection, target, isSettled ? target : orderer, numbers[i]);
                if (isPlaced || (isSettled && holding[i] == numbers[i] && IsUnsettled(entry, orderer)))
                    changed.Add(entry);
            }

            Set(changed);
            RemoveGone();
            return holding;
        }
    }

    public IReadOnlyList<ForwardedConnection> List(string owner, IReadOnlyCollection<FourTuple> named)
    {
        lock (_lock)
        {
            if (!_numbers.TryGetValue(owner, out int number))
                return [];
            IEnumerable<FourTuple> asked = named.Count == 0 ? _entries.Keys : named.Where(_entries.ContainsKey);
            return [.. asked.Where(connection => _entries[connection].Entry.Backend == number).Select(connection => new ForwardedConnection(connection, _entries[connection].Stamp))];
        }
    }

    public IReadOnlyList<FourTuple> End(string owner, IReadOnlyCollection<ForwardedConnection> ended)
    {
        lock (_lock)
        {
            int number = _numbers.GetValueOrDefault(owner);
            List<FourTuple> standing = [];
            foreach ((FourTuple connection, ulong stamp, _) in ended)
            {
                if (!_entries.TryGetValue(connection, out (GatewayEntry Entry, ulong Stamp) known))
                    continue;
                if (known.Stamp != stamp || known.Entry.Backend != number || known.Entry.Orderer != number)
                {
                    standing.Add(connection);
                    continue;
                }

                Remove(connection);
            }

            RemoveGone();
            return standing;
        }
    }

    /// <summary>A backend says what it has, at a change: of what does not go there by itself, or has a number, there is an entry from now on.</summary>
    public void Assert(string backend, IReadOnlyList<OwnedConnection> owned)
    {
        lock (_lock)
        {
            if (!_numbers.TryGetValue(backend, out int number))
                return; // it is gone meanwhile
            Set([.. owned.Where(one => _options.Serves(one.Connection.Local) && !IsKnown(one, number)).Select(one => new GatewayEntry(one.Connection, number, number, one.Number))]);
        }
    }

    /// <summary>All backends have said what they have: what has no entry goes by the table.</summary>
    public void FinishChange()
    {
        lock (_lock)
        {
            for (int slot = 0; slot < _placements.Length; slot++)
                _placements[slot] = new GatewayPlacement(_placements[slot].Current, _placements[slot].Current);
            _switch.SetPlacements(_placements);
            _switch.ForgetOpened();
            IsChanging = false;
            RemoveGone();
        }
    }

    private bool IsKnown(OwnedConnection owned, int backend)
    {
        if (_entries.TryGetValue(owned.Connection, out (GatewayEntry Entry, ulong) known))
            return owned.Number <= known.Entry.Number;
        uint number = (uint)backend;
        return owned.Number == 0 && !_leaving.Contains(backend) && _placements[GatewaySwitch.SlotOf(owned.Connection)] == new GatewayPlacement(number, number);
    }

    private string? FindObstacle(IReadOnlyList<FourTuple> connections, string host)
    {
        if (!_numbers.TryGetValue(host, out int number))
            return $"'{host}' is no backend of the gateway: add it to gateway:backends there.";
        foreach (FourTuple connection in connections)
        {
            if (!_options.Serves(connection.Local))
                return $"The gateway does not serve {connection.Local}: add it to gateway:services there.";
            if (_backends[number].AddressFor(connection) is null)
                return $"The gateway knows no address of '{host}' that packets of {connection} could be sent to: add it to gateway:backends:{host}:packets there.";
        }

        return null;
    }

    private int NumberOf(string caller) => _numbers.TryGetValue(caller, out int number) ? number
        : throw new UnauthorizedAccessException($"'{caller}' is no backend of this gateway.");

    // What has no entry goes by the table, and belongs to whom it goes to.
    private bool MayMove(int caller, FourTuple connection) => _entries.TryGetValue(connection, out (GatewayEntry Entry, ulong) known)
        ? known.Entry.Backend == caller || known.Entry.Orderer == caller
        : IsChanging || _placements[GatewaySwitch.SlotOf(connection)].Current == caller;

    private bool IsUnsettled(GatewayEntry settled, int caller) =>
        _entries[settled.Connection].Entry is { } known && known.Backend == settled.Backend && known.Orderer != known.Backend && (caller == known.Backend || caller == known.Orderer);

    private RedirectorState StateOf(FourTuple connection) => _entries.TryGetValue(connection, out (GatewayEntry Entry, ulong) known)
        ? new RedirectorState.Placed(known.Entry.Number, new RedirectionTarget(_backends[known.Entry.Backend].Name))
        : new RedirectorState.Unplaced();

    private void Set(IReadOnlyList<GatewayEntry> entries)
    {
        if (entries.Count == 0)
            return;
        _switch.Set(entries);
        foreach (GatewayEntry entry in entries)
            _entries[entry.Connection] = (entry, ++_lastStamp);
    }

    private void Remove(FourTuple connection)
    {
        _switch.Remove(connection); // first in the kernel: what fails there is tried again
        _entries.Remove(connection);
    }

    // A backend that leaves is gone when no slot and no entry names it.
    private void RemoveGone()
    {
        if (IsChanging || _leaving.Count == 0)
            return;
        foreach (int number in _leaving.Except(_entries.Values.SelectMany(known => (int[])[known.Entry.Backend, known.Entry.Orderer])).ToArray())
        {
            _numbers.Remove(_backends[number].Name);
            _backends.Remove(number);
            _leaving.Remove(number);
            _switch.RemoveBackend(number);
        }
    }

    // A backend that was there before keeps its number: entries and the table name it so. After a start of the agent it is known by its addresses alone.
    private void NumberBackends(IReadOnlyDictionary<int, BackendHop> free)
    {
        HashSet<int> taken = [.. free.Keys, .. _backends.Keys];
        foreach (OtherHost host in _options.Backends.Select(backend => backend.Host))
        {
            BackendHop hop = HopOf(host);
            if (!_numbers.TryGetValue(host.Name, out int number))
                number = free.Where(one => Equals(one.Value.IPv4, hop.IPv4) && Equals(one.Value.IPv6, hop.IPv6)).Select(one => one.Key).FirstOrDefault();
            if (number == 0)
                number = Enumerable.Range(1, int.MaxValue - 1).First(taken.Add);
            if (_backends.TryGetValue(number, out OtherHost? before))
                _numbers.Remove(before.Name); // it has another name now
            (_numbers[host.Name], _backends[number]) = (number, host);
            _switch.SetBackend(number, hop);
        }
    }

    private BackendHop HopOf(OtherHost host) => new(_interfaceIndex, AddressOf(host, AddressFamily.InterNetwork), AddressOf(host, AddressFamily.InterNetworkV6));

    // Returns whether a slot has changed.
    private bool Begin()
    {
        GatewayBackend[] open = [.. _options.Backends.Where(backend => !backend.IsDraining)];
        int[] table = PlacementTable.Make([.. open.Select(backend => backend.Host.Name)], _placements.Length);
        bool hasChanged = false;
        for (int slot = 0; slot < table.Length; slot++)
        {
            uint before = _placements[slot].Before;
            GatewayPlacement placement = new(
                table[slot] < 0 ? 0 : (uint)_numbers[open[table[slot]].Host.Name],
                _backends.ContainsKey((int)before) ? before : 0);
            IsChanging |= placement.Current != placement.Before;
            hasChanged |= placement != _placements[slot];
            _placements[slot] = placement;
        }

        return hasChanged;
    }

    // Where a change is taken back before its end, a slot has one backend again; what has opened at the other one stays there.
    private void KeepOpened() => Set(
    [
        .. _switch.ListOpened().Where(one => _backends.ContainsKey(one.Backend) && !_entries.ContainsKey(one.Connection)
                && _placements[GatewaySwitch.SlotOf(one.Connection)] is { } placement && placement.Current == placement.Before && placement.Current != one.Backend)
            .Select(one => new GatewayEntry(one.Connection, one.Backend, one.Backend, 0)),
    ]);

    private static IPAddress? AddressOf(OtherHost host, AddressFamily family) => host.Addresses.FirstOrDefault(address => address.AddressFamily == family);
}

/// <summary>A connection whose pass is not over, as far as the gateway knows.</summary>
/// <param name="Stamp">Of its entry: another one after another redirection.</param>
/// <param name="Number">Of the last redirection.</param>
/// <param name="Backend">Where its packets go.</param>
/// <param name="Orderer">Who has begun the pass.</param>
internal readonly record struct UnsettledEntry(FourTuple Connection, ulong Stamp, ulong Number, string Backend, string Orderer);
