using System.Net.Sockets;
using Tcpcp.Agent.Redirection;
using Tcpcp.Core;
using Tcpcp.Linux.Devices;
using Tcpcp.Linux.Netlink;
using Tcpcp.Linux.Switching;

namespace Tcpcp.Agent.Hold;

/// <summary>
/// Keeps the peer's packets while a connection is between two owners, and lets them arrive afterwards: in order, once, exactly as they came.
/// </summary>
/// <remarks>
/// A packet switch (<see cref="SwitchPlace.Hold"/>) sends the packets of held connections out of an interface of this process, so that they never reach the stack; a
/// thread takes them off it. To replay them, they are written to the interface and arrive on it. It is a TAP, or where there is no /dev/net/tun a veth pair with a packet socket. So
/// what is held is exactly what the switch has taken out of the way, whatever comes while a connection's entry is set or removed.
/// </remarks>
internal sealed class PacketHold : IDisposable
{
    /// <summary>Name of the interface.</summary>
    public const string DeviceName = "tcpcphold";

    private const string VethKind = "veth";
    private const int WaitMilliseconds = 100;
    private const int MaxReleaseAttempts = 1000; // some 3 ms; what another CPU is switching is there within microseconds

    private readonly Lock _lock = new();
    private readonly Dictionary<FourTuple, HeldQueue> _queues = [];
    private readonly IPacketSwitch _switch;
    private readonly PacketTarget _target;
    private readonly IPacketDevice _device;
    private readonly Socket _name;
    private readonly byte[] _hardwareAddress;
    private readonly byte[] _buffer = GC.AllocateUninitializedArray<byte>(TapDevice.MaxFrameBytes);
    private readonly int _maxBytes;
    private readonly Thread _reader;
    private volatile bool _stopping;

    // Connections that were replayed of late: a packet that another CPU was switching meanwhile comes after the replay, and must not be lost.
    private HashSet<FourTuple> _replayed = [];
    private HashSet<FourTuple> _replayedBefore = [];
    private long _replayedSince = Environment.TickCount64;

    private PacketHold(IPacketDevice device, Socket name, LinkInfo link, IPacketSwitch packetSwitch, int maxBytes)
    {
        (_device, _name) = (device, name);
        _target = PacketTarget.Hold(link.Index);
        _hardwareAddress = link.HardwareAddress.GetAddressBytes();
        _switch = packetSwitch;
        _maxBytes = maxBytes;
        _reader = new Thread(ReadLoop) { IsBackground = true, Name = "tcpcp hold" };
    }

    /// <summary>Opens the hold in the calling thread's network namespace.</summary>
    /// <inheritdoc cref="Prepare"/>
    public static PacketHold Open(IEnumerable<string> interfaces, int maxBytes, SwitchChoice choice = SwitchChoice.Automatic, HoldChoice device = HoldChoice.Automatic)
    {
        PacketHold hold = Prepare(interfaces, maxBytes, choice, device);
        hold.Start();
        return hold;
    }

    /// <summary>Opens it, and leaves its thread to <see cref="Start"/>, which may be called in another namespace.</summary>
    /// <param name="interfaces">Interfaces on which packets of connections arrive.</param>
    /// <param name="maxBytes">Limit of what is held for one connection; more is dropped.</param>
    /// <param name="choice">What the switch is made of.</param>
    /// <param name="device">What the interface is.</param>
    /// <exception cref="IOException">Another process holds packets here, or what is wanted is not to be had.</exception>
    public static PacketHold Prepare(IEnumerable<string> interfaces, int maxBytes, SwitchChoice choice = SwitchChoice.Automatic, HoldChoice device = HoldChoice.Automatic)
    {
        Socket name = TakeName();
        IPacketDevice? opened = null;
        try
        {
            using RouteNetlink route = RouteNetlink.Open();
            RemoveLeft(route);
            opened = OpenDevice(device, out string? tapObstacle);
            LinkInfo link = ArrivalLink.SetUp(route, DeviceName);
            return new PacketHold(opened, name, link, OpenSwitch(interfaces, choice, out string? obstacle), maxBytes) { BpfObstacle = obstacle, TapObstacle = tapObstacle };
        }
        catch
        {
            opened?.Dispose();
            name.Dispose();
            throw;
        }
    }

    /// <summary>Takes packets from the interface from now on.</summary>
    public void Start() => _reader.Start();

    /// <summary>What a process holds packets by in the calling thread's network namespace; null: there is none.</summary>
    public static HoldMechanism? FindInUse(RouteNetlink route) => !route.Links.TryGet(DeviceName, out LinkInfo? link) ? null
        : link.Kind != VethKind ? HoldMechanism.Tap
        : IsNameTaken() ? HoldMechanism.Veth
        : null;

    /// <summary>Whether a process holds packets in the calling thread's network namespace.</summary>
    public static bool IsInUse(RouteNetlink route) => FindInUse(route) is not null;

    /// <summary>Whether a process that is gone has left its interface, as a veth pair: what is sent out of it is dropped.</summary>
    public static bool IsLeft(RouteNetlink route) => route.Links.TryGet(DeviceName, out _) && !IsInUse(route);

    /// <summary>Removes that.</summary>
    /// <returns>False if there was none.</returns>
    public static bool RemoveLeft(RouteNetlink route) => route.Links.TryGet(DeviceName, out LinkInfo? link) && link.Kind == VethKind && route.Links.Delete(DeviceName);

    /// <summary>What packets are held by.</summary>
    public HoldMechanism Device => _device is TapDevice ? HoldMechanism.Tap : HoldMechanism.Veth;

    /// <summary>Why a TAP is not to be had; null: it is in use, or not wanted.</summary>
    public string? TapObstacle { get; private init; }

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
            {
                _queues.TryAdd(connection, new HeldQueue(_maxBytes));
                Forget(connection);
            }
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
    /// <returns>How many there were, and how many were dropped because the limit was reached; so are counted those that were lost of whatever connection, since nobody knows.</returns>
    public (int Replayed, int Dropped) Replay(FourTuple connection)
    {
        lock (_lock)
        {
            ReadWaiting();
            if (!_queues.TryGetValue(connection, out HeldQueue? queue))
                return (0, 0);
            int replayed = Write(queue);
            // What comes meanwhile waits at the interface. Only when all of it has arrived may more go directly: it would overtake what still waits.
            for (int attempt = 0; !_switch.TryRelease(connection, queue.Added);)
            {
                ReadWaiting();
                int more = Write(queue);
                replayed += more;
                attempt = more > 0 ? 0 : attempt + 1;
                if (attempt == MaxReleaseAttempts)
                    _switch.Remove(connection); // the interface has lost one, or made two of one
            }

            ReadWaiting();
            replayed += Write(queue);
            _queues.Remove(connection);
            _replayed.Add(connection);
            return (replayed, queue.Dropped + _device.TakeLost());
        }
    }

    /// <summary>Takes the held packets away, and holds no further ones: for another host, which gives them to <see cref="Inject"/>.</summary>
    public IReadOnlyList<byte[]> Take(FourTuple connection)
    {
        _switch.Remove(connection);
        lock (_lock)
        {
            Forget(connection);
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
        if (_reader.IsAlive)
            _reader.Join();
        _switch.Uninstall();
        _switch.Dispose();
        _device.Dispose();
        _name.Dispose();
    }

    private static IPacketDevice OpenDevice(HoldChoice choice, out string? tapObstacle)
    {
        tapObstacle = null;
        if (choice == HoldChoice.Veth)
            return VethDevice.Create(DeviceName);
        try
        {
            return TapDevice.Create(DeviceName);
        }
        catch (Exception e) when (choice == HoldChoice.Automatic && e is IOException or UnauthorizedAccessException)
        {
            tapObstacle = e.Message;
        }

        try
        {
            return VethDevice.Create(DeviceName);
        }
        catch (IOException e)
        {
            throw new IOException($"Packets cannot be held here. A TAP is not to be had: {tapObstacle} Nor is a veth pair: {e.Message}", e);
        }
    }

    // One process holds packets in a network namespace: the kernel gives the name back when it dies.
    private static Socket TakeName()
    {
        Socket name = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        try
        {
            name.Bind(Name);
            return name;
        }
        catch (SocketException e)
        {
            name.Dispose();
            throw new IOException(e.SocketErrorCode == SocketError.AddressAlreadyInUse
                ? "Another agent holds packets in this network namespace: stop it first." : $"The name of the hold cannot be taken: {e.Message}", e);
        }
    }

    private static bool IsNameTaken()
    {
        using Socket visitor = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        try
        {
            visitor.Connect(Name);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static UnixDomainSocketEndPoint Name => new("\0tcpcp/hold");

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
            bool waits = _device.WaitForFrame(WaitMilliseconds);
            lock (_lock)
            {
                if (waits)
                    ReadWaiting();
                ForgetReplayed();
            }
        }
    }

    // After one to two periods.
    private void ForgetReplayed()
    {
        if (Environment.TickCount64 - _replayedSince < WaitMilliseconds)
            return;
        (_replayedBefore, _replayed) = (_replayed, _replayedBefore);
        _replayed.Clear();
        _replayedSince = Environment.TickCount64;
    }

    private void Forget(FourTuple connection)
    {
        _replayed.Remove(connection);
        _replayedBefore.Remove(connection);
    }

    private void ReadWaiting()
    {
        while (_device.TryRead(_buffer) is > 0 and int length)
        {
            Span<byte> frame = _buffer.AsSpan(0, length);
            if (!HeldFrame.TryParse(frame, out HeldFrame? held))
                continue;
            FourTuple connection = held.Value.Connection;
            if (_queues.TryGetValue(connection, out HeldQueue? queue))
                queue.Add(frame, held.Value.Acknowledgement);
            else if (_replayed.Contains(connection) || _replayedBefore.Contains(connection))
                Write(frame);
        }
    }

    private int Write(HeldQueue queue)
    {
        int written = 0;
        for (; queue.TryTake(out byte[]? frame); written++)
            Write(frame);
        return written;
    }

    private void Write(Span<byte> frame)
    {
        _hardwareAddress.CopyTo(frame[TapDevice.HeaderBytes..]); // addressed to this interface
        _device.Write(frame);
    }
}
