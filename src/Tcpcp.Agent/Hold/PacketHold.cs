using System.Net;
using Tcpcp.Core;
using Tcpcp.Linux.Devices;
using Tcpcp.Linux.Netlink;
using Tcpcp.Linux.Nftables;

namespace Tcpcp.Agent.Hold;

/// <summary>
/// Keeps the peer's packets while a connection is between two owners, and lets them arrive afterwards: in order, once, exactly as they came.
/// </summary>
/// <remarks>
/// nftables (table <c>netdev tcpcp</c>, ingress) forwards the packets of the connections in the set <c>held</c> to a TAP interface of this process,
/// so that they never reach the stack; a thread takes them off it. To replay them, they are written to the TAP and arrive on it.
/// </remarks>
internal sealed class PacketHold : IDisposable
{
    private const string TableName = "tcpcp";

    /// <summary>Name of the TAP interface: it is there as long as the process that holds packets.</summary>
    private const string DeviceName = "tcpcphold";

    private const int WaitMilliseconds = 100;

    private static readonly FourTupleSet s_held = new(FourTupleSet.NFPROTO_NETDEV, TableName, "held");

    private static readonly IPAddress s_dummyAddress = new([192, 0, 0, 8]); // RFC 7600: nobody's

    private readonly Lock _lock = new();
    private readonly Dictionary<FourTuple, HeldQueue> _queues = [];
    private readonly SetElements _elements = new();
    private readonly TapDevice _tap;
    private readonly byte[] _hardwareAddress;
    private readonly byte[] _buffer = GC.AllocateUninitializedArray<byte>(TapDevice.MaxFrameBytes);
    private readonly int _maxBytes;
    private readonly Thread _reader;
    private volatile bool _stopping;

    private PacketHold(TapDevice tap, byte[] hardwareAddress, int maxBytes)
    {
        _tap = tap;
        _hardwareAddress = hardwareAddress;
        _maxBytes = maxBytes;
        _reader = new Thread(ReadLoop) { IsBackground = true, Name = "tcpcp hold" };
    }

    /// <summary>Opens the hold in the calling thread's network namespace.</summary>
    /// <param name="interfaces">Interfaces on which packets of connections arrive.</param>
    /// <param name="maxBytes">Limit of what is held for one connection; more is dropped.</param>
    public static PacketHold Open(IEnumerable<string> interfaces, int maxBytes)
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
            MakeTable(interfaces);
            PacketHold hold = new(tap, route.Links.Get(DeviceName).HardwareAddress.GetAddressBytes(), maxBytes);
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

    /// <summary>Whether there is a table of a hold; one without a process drops packets.</summary>
    public static bool HasTable(SetElements elements) => elements.HasTable(FourTupleSet.NFPROTO_NETDEV, TableName);

    /// <summary>Removes the table of a hold whose process is gone.</summary>
    public static void RemoveTable(SetElements elements) => elements.RemoveTable(FourTupleSet.NFPROTO_NETDEV, TableName);

    /// <summary>Holds the connection's packets from now on.</summary>
    public void Arm(FourTuple connection)
    {
        lock (_lock)
            _queues.TryAdd(connection, new HeldQueue(_maxBytes));
        _elements.Add(s_held, connection);
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
            _elements.Remove(s_held, connection);
            ReadWaiting();
            replayed += Write(queue);
            _queues.Remove(connection);
            return (replayed, queue.Dropped);
        }
    }

    /// <summary>Takes the held packets away, and holds no further ones: for another host, which gives them to <see cref="Inject"/>.</summary>
    public IReadOnlyList<byte[]> Take(FourTuple connection)
    {
        _elements.Remove(s_held, connection);
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
        _elements.RemoveTable(FourTupleSet.NFPROTO_NETDEV, TableName);
        _elements.Dispose();
        _tap.Dispose();
    }

    // The table is this process's alone: one that a dead agent has left forwards to an interface that is gone.
    private static void MakeTable(IEnumerable<string> interfaces) => LibNftables.Run(string.Join('\n',
    [
        $"add table netdev {TableName}",
        $"delete table netdev {TableName}",
        $"add table netdev {TableName}",
        $$"""add set netdev {{TableName}} held4 { type ipv4_addr . inet_service . ipv4_addr . inet_service; }""",
        $$"""add set netdev {{TableName}} held6 { type ipv6_addr . inet_service . ipv6_addr . inet_service; }""",
        .. interfaces.SelectMany((name, number) => (string[])
        [
            $$"""add chain netdev {{TableName}} ingress{{number}} { type filter hook ingress device "{{name}}" priority -500; }""",
            $"""add rule netdev {TableName} ingress{number} ip daddr . tcp dport . ip saddr . tcp sport @held4 fwd to "{DeviceName}" """,
            $"""add rule netdev {TableName} ingress{number} ip6 daddr . tcp dport . ip6 saddr . tcp sport @held6 fwd to "{DeviceName}" """,
        ]),
    ]));

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
