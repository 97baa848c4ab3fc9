using System.Net;
using Tcpcp.Core;
using Tcpcp.Linux.Devices;
using Tcpcp.Linux.Netlink;
using Tcpcp.Linux.Switching;

namespace Tcpcp.Agent.Hold;

/// <summary>
/// Keeps the peer's packets while a connection is between two owners, and lets them arrive afterwards: in order, once, exactly as they came.
/// </summary>
/// <remarks>
/// A packet switch (<see cref="SwitchPlace.Hold"/>) sends the packets of held connections to a TAP interface of this process, so that they never reach the stack; a
/// thread takes them off it. To replay them, they are written to the TAP and arrive on it.
/// </remarks>
internal sealed class PacketHold : IDisposable
{
    /// <summary>Name of the TAP interface: it is there as long as the process that holds packets.</summary>
    private const string DeviceName = "tcpcphold";

    private const int WaitMilliseconds = 100;

    private static readonly IPAddress s_dummyAddress = new([192, 0, 0, 8]); // RFC 7600: nobody's

    private readonly Lock _lock = new();
    private readonly Dictionary<FourTuple, HeldQueue> _queues = [];
    private readonly IPacketSwitch _switch;
    private readonly PacketTarget _target;
    private readonly TapDevice _tap;
    private readonly byte[] _hardwareAddress;
    private readonly byte[] _buffer = GC.AllocateUninitializedArray<byte>(TapDevice.MaxFrameBytes);
    private readonly int _maxBytes;
    private readonly Thread _reader;
    private volatile bool _stopping;

    private PacketHold(TapDevice tap, LinkInfo link, IPacketSwitch packetSwitch, int maxBytes)
    {
        _tap = tap;
        _target = PacketTarget.Hold(link.Index);
        _hardwareAddress = link.HardwareAddress.GetAddressBytes();
        _switch = packetSwitch;
        _maxBytes = maxBytes;
        _reader = new Thread(ReadLoop) { IsBackground = true, Name = "tcpcp hold" };
    }

    /// <summary>Opens the hold in the calling thread's network namespace.</summary>
    /// <param name="interfaces">Interfaces on which packets of connections arrive.</param>
    /// <param name="maxBytes">Limit of what is held for one connection; more is dropped.</param>
    /// <param name="choice">What the switch is made of.</param>
    public static PacketHold Open(IEnumerable<string> interfaces, int maxBytes, SwitchChoice choice = SwitchChoice.Automatic)
    {
        TapDevice tap = TapDevice.Create(DeviceName);
        try
        {
            using RouteNetlink route = RouteNetlink.Open();
            // The peer is behind another interface: so the reverse path check must be loose, whatever the host's setting is, and a loose check still
            // drops everything on an interface that has no address.
            File.WriteAllText($"/proc/sys/net/ipv4/conf/{DeviceName}/rp_filter", "2");
            route.Addresses.Add(route.Links.Get(DeviceName).Index, InterfaceAddress.Single(s_dummyAddress));
            if (Directory.Exists($"/proc/sys/net/ipv6/conf/{DeviceName}"))
            {
                File.WriteAllText($"/proc/sys/net/ipv6/conf/{DeviceName}/addr_gen_mode", "1"); // no address of its own: it is no neighbour of anybody
                File.WriteAllText($"/proc/sys/net/ipv6/conf/{DeviceName}/disable_ipv6", "0"); // whatever new interfaces get: replayed packets arrive on it
            }

            route.Links.SetUp(DeviceName);
            PacketHold hold = new(tap, route.Links.Get(DeviceName), OpenSwitch(interfaces, choice, out string? obstacle), maxBytes) { BpfObstacle = obstacle };
            hold._reader.Start();
            return hold;
        }
        catch
        {
            tap.Dispose();
            throw;
        }
    }

    /// <summary>Whether a process holds packets in the calling thread's network namespace.</summary>
    public static bool IsInUse(RouteNetlink route) => route.Links.TryGet(DeviceName, out _);

    /// <summary>What the switch is made of.</summary>
    public SwitchMechanism Mechanism => _switch.Mechanism;

    /// <summary>Why BPF is not to be had; null: it is in use, or not wanted.</summary>
    public string? BpfObstacle { get; private init; }

    /// <summary>Holds the connections' packets from now on.</summary>
    public void Arm(IReadOnlyList<FourTuple> connections)
    {
        lock (_lock)
        {
            foreach (FourTuple connection in connections)
                _queues.TryAdd(connection, new HeldQueue(_maxBytes));
        }

        _switch.Set([.. connections.Select(connection => new SwitchEntry(connection, _target))]);
    }

    /// <summary>The highest acknowledgement number among the held packets.</summary>
    public SequenceNumber? HighestAcknowledgement(FourTuple connection)
    {
        lock (_lock)
        {
            ReadWaiting();
            return _queues.TryGetValue(connection, out HeldQueue? queue) ? queue.HighestAcknowledgement : null;
        }
    }

    /// <summary>Lets the held packets arrive, then all further ones directly.</summary>
    /// <returns>How many there were, and how many were dropped because the limit was reached.</returns>
    public (int Replayed, int Dropped) Replay(FourTuple connection)
    {
        lock (_lock)
        {
            ReadWaiting();
            if (!_queues.TryGetValue(connection, out HeldQueue? queue))
                return (0, 0);
            int replayed = Write(queue);
            // What came meanwhile is in the ring; what comes after this goes directly. So nothing that was delivered is ever replayed.
            _switch.Remove(connection);
            ReadWaiting();
            replayed += Write(queue);
            _queues.Remove(connection);
            return (replayed, queue.Dropped);
        }
    }

    /// <summary>Takes the held packets away, and holds no further ones: for another host, which gives them to <see cref="Inject"/>.</summary>
    public IReadOnlyList<byte[]> Take(FourTuple connection)
    {
        _switch.Remove(connection);
        lock (_lock)
        {
            ReadWaiting();
            if (!_queues.Remove(connection, out HeldQueue? queue))
                return [];
            List<byte[]> frames = [];
            while (queue.TryTake(out byte[]? frame))
                frames.Add(frame);
            return frames;
        }
    }

    /// <summary>Lets a packet that another host has held arrive here.</summary>
    public void Inject(byte[] frame)
    {
        if (frame.Length is < TapDevice.NetworkOffset or > TapDevice.MaxFrameBytes || !HeldFrame.TryParse(frame, out _))
            return;
        lock (_lock)
            Write(frame);
    }

    public void Dispose()
    {
        _stopping = true;
        _reader.Join();
        _switch.Uninstall();
        _switch.Dispose();
        _tap.Dispose();
    }

    // What a dead agent has left goes to an interface that is gone.
    private static IPacketSwitch OpenSwitch(IEnumerable<string> interfaces, SwitchChoice choice, out string? obstacle)
    {
        IPacketSwitch opened = PacketSwitch.Open(SwitchPlace.Hold, interfaces, out obstacle, choice);
        try
        {
            foreach (SwitchStatistics left in opened.List())
                opened.Remove(left.Entry.Connection);
            return opened;
        }
        catch
        {
            opened.Dispose();
            throw;
        }
    }

    private void ReadLoop()
    {
        while (!_stopping)
        {
            if (!_tap.WaitForFrame(WaitMilliseconds))
                continue;
            lock (_lock)
                ReadWaiting();
        }
    }

    private void ReadWaiting()
    {
        while (_tap.TryRead(_buffer) is > 0 and int length)
        {
            ReadOnlySpan<byte> frame = _buffer.AsSpan(0, length);
            if (HeldFrame.TryParse(frame, out HeldFrame? held) && _queues.TryGetValue(held.Value.Connection, out HeldQueue? queue))
                queue.Add(frame, held.Value.Acknowledgement);
        }
    }

    private int Write(HeldQueue queue)
    {
        int written = 0;
        for (; queue.TryTake(out byte[]? frame); written++)
            Write(frame);
        return written;
    }

    private void Write(byte[] frame)
    {
        _hardwareAddress.CopyTo(frame, TapDevice.HeaderBytes); // addressed to this interface
        _tap.Write(frame);
    }
}
