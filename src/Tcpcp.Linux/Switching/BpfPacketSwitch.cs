using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Tcpcp.Core;
using Tcpcp.Linux.Bpf;

namespace Tcpcp.Linux.Switching;

/// <summary>
/// The switch as a BPF program (bpf/packet_switch.c) at the TCX hook of each interface, with one map. Both are pinned: they outlive every process, and the next
/// one takes them over, entries and counters included. A change is one system call, 1 to 3 us.
/// </summary>
internal sealed class BpfPacketSwitch : IPacketSwitch
{
    private const string ProgramName = "packet_switch";
    private const string ProgramSection = "tcx/ingress";
    private const string MapName = "connections";
    private const string ReleasesName = "releases";

    private readonly PinnedSwitch _pins;
    private readonly BpfHashMap<BpfConnection, BpfTarget> _map;
    private readonly BpfHashMap<BpfConnection, long> _releases; // this process's: it goes with its program
    private readonly List<TcxLink> _links = [];

    private BpfPacketSwitch(PinnedSwitch pins, BpfHashMap<BpfConnection, BpfTarget> map) => (_pins, _map, _releases) = (pins, map, CreateReleases(map.Capacity));

    public SwitchMechanism Mechanism => SwitchMechanism.Bpf;

    /// <summary>The compiled program as it is in this assembly.</summary>
    public static BpfObjectFile Program { get; } = BpfObjectFile.Embedded("packet_switch.o", ProgramSection);

    /// <summary>Installs the switch at the interfaces, or takes over the one that is there.</summary>
    /// <exception cref="IOException">It cannot be had here: the message says why. Nothing is left behind.</exception>
    public static BpfPacketSwitch Open(SwitchPlace place, IReadOnlyList<int> interfaces, int capacity)
    {
        PinnedSwitch pins = new(place);
        bool fresh = !pins.Exists;
        pins.MakeDirectory();
        BpfPacketSwitch? opened = null;
        try
        {
            pins.RemoveStale();
            opened = new BpfPacketSwitch(pins, OpenMap(pins, capacity));
            opened.Install(place, interfaces);
            return opened;
        }
        catch
        {
            opened?.Dispose();
            if (fresh)
                pins.Remove();
            throw;
        }
    }

    /// <summary>Loads the program without entries, and without a way to set some.</summary>
    public static BpfProgram LoadEmpty()
    {
        using BpfHashMap<BpfConnection, BpfTarget> map = BpfHashMap<BpfConnection, BpfTarget>.Create(MapName, capacity: 1);
        using BpfHashMap<BpfConnection, long> releases = CreateReleases(capacity: 1);
        return Load(map, releases);
    }

    /// <summary>The entries of a switch that is installed in the calling thread's network namespace, with nothing else touched.</summary>
    /// <returns>Null if there is none.</returns>
    public static IReadOnlyList<SwitchStatistics>? Read(SwitchPlace place)
    {
        if (!BpfPin.TryOpen(new PinnedSwitch(place).Map, out SafeFileHandle? handle))
            return null;
        using BpfHashMap<BpfConnection, BpfTarget>? map = BpfHashMap<BpfConnection, BpfTarget>.Of(handle);
        return map is null ? [] : List(map);
    }

    /// <summary>Takes out what is pinned, whoever has made it.</summary>
    public static void Uninstall(SwitchPlace place)
    {
        PinnedSwitch pins = new(place);
        foreach (string path in pins.Links())
        {
            using TcxLink? link = TcxLink.TryOpen(path);
            link?.Detach();
        }

        pins.Remove();
    }

    public void Set(SwitchEntry entry)
    {
        entry.Check();
        _map.Set(BpfConnection.Of(entry.Connection), BpfTarget.Of(entry.Target));
    }

    public void Set(IReadOnlyCollection<SwitchEntry> entries)
    {
        if (entries.Count == 1)
        {
            Set(entries.First());
            return;
        }

        BpfConnection[] keys = new BpfConnection[entries.Count];
        BpfTarget[] values = new BpfTarget[entries.Count];
        int count = 0;
        foreach (SwitchEntry entry in entries)
        {
            entry.Check();
            (keys[count], values[count]) = (BpfConnection.Of(entry.Connection), BpfTarget.Of(entry.Target));
            count++;
        }

        _map.Set(keys, values);
    }

    public bool Remove(FourTuple connection) => _map.Remove(BpfConnection.Of(connection));

    public bool TryRelease(FourTuple connection, long packets)
    {
        BpfConnection key = BpfConnection.Of(connection);
        _releases.Set(key, packets);
        bool isReleased = !_map.TryGet(key, out BpfTarget target) || target.Packets == packets; // else none of the counts that are still to come is this one
        if (isReleased)
            _map.Remove(key);
        _releases.Remove(key);
        return isReleased;
    }

    public IReadOnlyList<SwitchStatistics> List() => List(_map);

    public void Uninstall()
    {
        foreach (TcxLink link in _links)
            link.Detach();
        _pins.Remove();
    }

    public void Dispose()
    {
        foreach (TcxLink link in _links)
            link.Dispose();
        _map.Dispose();
        _releases.Dispose();
    }

    private static BpfHashMap<BpfConnection, long> CreateReleases(int capacity) => BpfHashMap<BpfConnection, long>.Create(ReleasesName, capacity, preallocated: false);

    private static BpfProgram Load(BpfHashMap<BpfConnection, BpfTarget> map, BpfHashMap<BpfConnection, long> releases)
    {
        using HeldDescriptor.Scope held = HeldDescriptor.Hold(map.Handle);
        using HeldDescriptor.Scope heldReleases = HeldDescriptor.Hold(releases.Handle);
        return BpfProgram.Load(BpfProgramKind.TcxIngress, ProgramName, Program.Link(name => name switch
        {
            MapName => (int)map.Handle.DangerousGetHandle(),
            ReleasesName => (int)releases.Handle.DangerousGetHandle(),
            _ => throw new InvalidDataException($"The program uses a map that there is not: {name}."),
        }));
    }

    private static IReadOnlyList<SwitchStatistics> List(BpfHashMap<BpfConnection, BpfTarget> map) =>
    [
        .. map.List().Select(element =>
            new SwitchStatistics(new SwitchEntry(element.Key.ToFourTuple(), element.Value.ToTarget()), element.Value.Packets, element.Value.Bytes)),
    ];

    private static BpfHashMap<BpfConnection, BpfTarget> OpenMap(PinnedSwitch pins, int capacity)
    {
        if (BpfPin.TryOpen(pins.Map, out SafeFileHandle? handle))
        {
            if (BpfHashMap<BpfConnection, BpfTarget>.Of(handle) is { } found)
                return found;
            pins.Remove(); // another version's: what it means is not known
            pins.MakeDirectory();
        }

        BpfHashMap<BpfConnection, BpfTarget> map = BpfHashMap<BpfConnection, BpfTarget>.Create(MapName, capacity);
        try
        {
            BpfPin.Pin(map.Handle, pins.Map);
            return map;
        }
        catch
        {
            map.Dispose();
            throw;
        }
    }

    private void Install(SwitchPlace place, IReadOnlyList<int> interfaces)
    {
        using BpfProgram program = Load(_map, _releases);
        _pins.Attach(program, interfaces, place.Behind, _links);
    }
}
