using System.Net;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Tcpcp.Core;
using Tcpcp.Linux.Bpf;

namespace Tcpcp.Linux.Switching;

/// <summary>
/// The switch of a gateway: a BPF program (bpf/gateway.c) at the TCX hook of its interfaces, and its maps, all pinned: they outlive every process, and the next one
/// takes them over. The numbers of backends are the caller's, from 1 on.
/// </summary>
internal sealed class GatewaySwitch : IDisposable
{
    /// <summary>Slots of the table of placements: a prime, as its making needs.</summary>
    public const int Slots = 65_537;

    /// <summary>Entries that there is room for, of about 150 bytes each: after a loss of its state, all connections of its services have one.</summary>
    public const int DefaultCapacity = 262_144;

    private const string ProgramName = "gateway";
    private const string ProgramSection = "tcx/ingress";
    private const int MaxOpened = 65_536;
    private const int MaxBackends = 1024;
    private const int MaxServices = 65_536;

    private readonly PinnedSwitch _pins = new(Place);
    private readonly List<TcxLink> _links = [];
    private readonly BpfHashMap<uint, GatewayIdentity> _identity;
    private readonly BpfHashMap<BpfService, uint> _services;
    private readonly BpfHashMap<BpfConnection, BpfGatewayEntry> _connections;
    private readonly BpfHashMap<BpfConnection, uint> _opened;
    private readonly BpfHashMap<uint, GatewayPlacement> _placements;
    private readonly BpfHashMap<uint, BpfBackend> _backends;

    private GatewaySwitch(int capacity)
    {
        IsNew = !IsInstalled(_pins);
        if (IsNew)
            Uninstall(_pins); // what has lost a part says nothing any more
        _pins.MakeDirectory();
        _pins.RemoveStale();
        _services = OpenMap<BpfService, uint>("services", MaxServices);
        _connections = OpenMap<BpfConnection, BpfGatewayEntry>("connections", capacity);
        _opened = OpenMap<BpfConnection, uint>("opened", MaxOpened, leastRecentlyUsedGo: true);
        _placements = OpenMap<uint, GatewayPlacement>("placements", Slots);
        _backends = OpenMap<uint, BpfBackend>("backends", MaxBackends);
        _identity = OpenMap<uint, GatewayIdentity>("identity", 1); // the last to be made: with it the switch is whole
        if (_identity.List() is [{ Value: var known }])
            Incarnation = known.Incarnation;
        else
            _identity.Set(0, new GatewayIdentity { Incarnation = Incarnation = Guid.NewGuid() });
    }

    public static SwitchPlace Place { get; } = new("gateway", "tcpcp-gateway", -510);

    /// <summary>The compiled program as it is in this assembly.</summary>
    public static BpfObjectFile Program { get; } = BpfObjectFile.Embedded("gateway.o", ProgramSection);

    /// <summary>There was none before: nothing is known of any connection.</summary>
    public bool IsNew { get; }

    /// <summary>Made with the maps, and lost with them.</summary>
    public Guid Incarnation { get; }

    /// <summary>Opens the maps that there are, or makes them; packets do not meet them before <see cref="Attach"/>.</summary>
    /// <exception cref="IOException">BPF is not to be had here: the message says why.</exception>
    public static GatewaySwitch Open(int capacity = DefaultCapacity)
    {
        try
        {
            return new GatewaySwitch(capacity);
        }
        catch (IOException e)
        {
            throw new IOException($"A gateway needs BPF (Linux 6.6, CAP_BPF, a BPF file system at /sys/fs/bpf; nftables does not do instead), which is not to be had here: {e.Message}", e);
        }
    }

    /// <summary>The entries of a gateway that is installed in the calling thread's network namespace, with nothing else touched.</summary>
    /// <returns>Null if there is none.</returns>
    public static IReadOnlyList<(GatewayEntry Entry, BackendHop? Hop)>? Read()
    {
        PinnedSwitch pins = new(Place);
        if (!BpfPin.TryOpen(pins.MapOf("connections"), out SafeFileHandle? entries) || !BpfPin.TryOpen(pins.MapOf("backends"), out SafeFileHandle? hops))
            return null;
        using BpfHashMap<BpfConnection, BpfGatewayEntry>? connections = BpfHashMap<BpfConnection, BpfGatewayEntry>.Of(entries);
        using BpfHashMap<uint, BpfBackend>? backends = BpfHashMap<uint, BpfBackend>.Of(hops);
        if (connections is null || backends is null)
            return [];
        IReadOnlyDictionary<int, BackendHop> known = ListBackends(backends);
        return [.. connections.List().Select(one => EntryOf(one.Key, one.Value)).Select(one => (one, known.GetValueOrDefault(one.Backend)))];
    }

    /// <summary>Takes out what is installed, whoever has made it.</summary>
    public static void Uninstall() => Uninstall(new PinnedSwitch(Place));

    /// <summary>The slot of a connection, as the program computes it.</summary>
    public static int SlotOf(FourTuple connection)
    {
        BpfConnection key = BpfConnection.Of(connection);
        uint hash = 0;
        foreach (uint word in MemoryMarshal.Cast<BpfConnection, uint>(new ReadOnlySpan<BpfConnection>(in key)))
        {
            hash = unchecked((hash ^ word) * 0x9E37_79B1);
            hash ^= hash >> 15;
        }

        return (int)(hash % Slots);
    }

    /// <summary>From now on the packets that arrive there are switched; the program of the version before is replaced in its place.</summary>
    public void Attach(IEnumerable<int> interfaces)
    {
        using BpfProgram program = Load();
        _pins.Attach(program, [.. interfaces.Distinct()], behind: null, _links);
    }

    /// <summary>Sets what is served; all else is left alone.</summary>
    public void SetServices(IReadOnlyCollection<IPEndPoint> services)
    {
        if (services.Count > MaxServices)
            throw new ArgumentException($"{services.Count} ports of services are too many: the limit is {MaxServices}.", nameof(services));
        BpfService[] wanted = [.. services.Select(BpfService.Of)];
        HashSet<BpfService> kept = [.. wanted];
        foreach (BpfService gone in _services.List().Select(one => one.Key).Where(key => !kept.Contains(key)))
            _services.Remove(gone);
        _services.Set(wanted, new uint[wanted.Length]);
    }

    /// <summary>The backends by their numbers.</summary>
    public IReadOnlyDictionary<int, BackendHop> ListBackends() => ListBackends(_backends);

    public void SetBackend(int number, BackendHop hop)
    {
        BpfBackend backend = new() { Interface = (uint)hop.Interface, IPv4 = hop.IPv4 is { } ipv4 ? BitConverter.ToUInt32(ipv4.GetAddressBytes()) : 0 };
        hop.IPv6?.TryWriteBytes(backend.IPv6, out _);
        _backends.Set((uint)number, backend);
    }

    /// <summary>Packets for it are dropped.</summary>
    public void RemoveBackend(int number) => _backends.Remove((uint)number);

    /// <summary>Of every slot; of one that was never set, nothing is known.</summary>
    public GatewayPlacement[] ReadPlacements()
    {
        GatewayPlacement[] placements = new GatewayPlacement[Slots];
        foreach ((uint slot, GatewayPlacement placement) in _placements.List())
            placements[slot] = placement;
        return placements;
    }

    public void SetPlacements(GatewayPlacement[] placements) => _placements.Set([.. Enumerable.Range(0, placements.Length).Select(slot => (uint)slot)], placements);

    public IReadOnlyList<GatewayEntry> ListEntries() => [.. _connections.List().Select(one => EntryOf(one.Key, one.Value))];

    /// <summary>What has opened while a change was under way, with the backends that it went to; the least recently used go.</summary>
    public IReadOnlyList<(FourTuple Connection, int Backend)> ListOpened() => [.. _opened.List().Select(one => (one.Key.ToFourTuple(), (int)one.Value))];

    /// <summary>Forgets that: no change is under way.</summary>
    public void ForgetOpened()
    {
        foreach ((BpfConnection connection, _) in _opened.List())
            _opened.Remove(connection);
    }

    /// <summary>The packets of connections go to the backends of their entries from now on.</summary>
    public void Set(IReadOnlyList<GatewayEntry> entries) => _connections.Set(
        [.. entries.Select(entry => BpfConnection.Of(entry.Connection))],
        [.. entries.Select(entry => new BpfGatewayEntry { Backend = (uint)entry.Backend, Orderer = (uint)entry.Orderer, Number = entry.Number })]);

    /// <summary>Its packets go by the table.</summary>
    public void Remove(FourTuple connection)
    {
        BpfConnection key = BpfConnection.Of(connection);
        _connections.Remove(key);
        _opened.Remove(key);
    }

    public void Dispose()
    {
        foreach (TcxLink link in _links)
            link.Dispose();
        foreach (IDisposable map in (IDisposable[])[_identity, _services, _connections, _opened, _placements, _backends])
            map.Dispose();
    }

    private static bool IsInstalled(PinnedSwitch pins) =>
        ((string[])["identity", "services", "connections", "opened", "placements", "backends"]).All(name => File.Exists(pins.MapOf(name)));

    private static void Uninstall(PinnedSwitch pins)
    {
        foreach (string path in pins.Links())
        {
            using TcxLink? link = TcxLink.TryOpen(path);
            link?.Detach();
        }

        pins.Remove();
    }

    private static Dictionary<int, BackendHop> ListBackends(BpfHashMap<uint, BpfBackend> backends) => backends.List().ToDictionary(one => (int)one.Key, one => new BackendHop(
        (int)one.Value.Interface,
        one.Value.IPv4 == 0 ? null : new IPAddress(one.Value.IPv4),
        one.Value.IPv6.ToAddress(ipv6: true) is { } ipv6 && !ipv6.Equals(IPAddress.IPv6Any) ? ipv6 : null));

    private static GatewayEntry EntryOf(BpfConnection key, BpfGatewayEntry value) => new(key.ToFourTuple(), (int)value.Backend, (int)value.Orderer, value.Number);

    private BpfHashMap<TKey, TValue> OpenMap<TKey, TValue>(string name, int capacity, bool leastRecentlyUsedGo = false)
        where TKey : unmanaged
        where TValue : unmanaged
    {
        string pin = _pins.MapOf(name);
        if (BpfPin.TryOpen(pin, out SafeFileHandle? handle))
        {
            return BpfHashMap<TKey, TValue>.Of(handle)
                ?? throw new IOException($"{pin} is of another version of tcpcp: stop the gateway for good (its connections end), and remove {Path.GetDirectoryName(pin)}.");
        }

        BpfHashMap<TKey, TValue> map = BpfHashMap<TKey, TValue>.Create(name, capacity, leastRecentlyUsedGo: leastRecentlyUsedGo);
        BpfPin.Pin(map.Handle, pin);
        return map;
    }

    private BpfProgram Load()
    {
        SafeFileHandle[] handles = [_services.Handle, _connections.Handle, _opened.Handle, _placements.Handle, _backends.Handle];
        bool[] held = new bool[handles.Length];
        try
        {
            for (int i = 0; i < handles.Length; i++)
                handles[i].DangerousAddRef(ref held[i]);
            return BpfProgram.Load(BpfProgramKind.TcxIngress, ProgramName, Program.Link(name => (int)(name switch
            {
                "services" => _services.Handle,
                "connections" => _connections.Handle,
                "opened" => _opened.Handle,
                "placements" => _placements.Handle,
                "backends" => _backends.Handle,
                _ => throw new InvalidDataException($"The program uses a map that there is not: {name}."),
            }).DangerousGetHandle()));
        }
        finally
        {
            for (int i = 0; i < handles.Length; i++)
            {
                if (held[i])
                    handles[i].DangerousRelease();
            }
        }
    }
}
