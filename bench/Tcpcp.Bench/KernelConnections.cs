using System.Buffers;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Tcpcp.Capture;
using Tcpcp.Core;
using Tcpcp.Gate;
using Tcpcp.Linux.Tcp;

namespace Tcpcp.Bench;

/// <summary>Connections over loopback, whose accepted ends are passed in place: frozen, captured, closed, restored, activated.</summary>
internal sealed class KernelConnections : IDisposable
{
    private const int PeerReceiveBufferBytes = 4096;

    private readonly ConnectionGate _gate = ConnectionGate.Open();
    private readonly SafeHandle[] _own;
    private readonly Socket[] _accepted;
    private readonly Socket[] _peers;
    private readonly ArrayPool<byte> _buffers = ArrayPool<byte>.Shared;
    private ConnectionSnapshot? _last;
    private FrozenConnection? _frozen;
    private DormantConnection? _dormant;

    private KernelConnections(int count) =>
        (_own, _accepted, _peers) = (new SafeHandle[count], new Socket[count], new Socket[count]);

    /// <summary>What a pass leaves: the objects of one snapshot and the handle of one socket, made by themselves.</summary>
    public long ResultBytes
    {
        get
        {
            ConnectionSnapshot last = _last!;
            byte[] local = last.Connection.Local.Address.GetAddressBytes();
            byte[] peer = last.Connection.Peer.Address.GetAddressBytes();
            long before = GC.GetAllocatedBytesForCurrentThread();
            FourTuple connection = new(new IPEndPoint(new IPAddress(local), last.Connection.Local.Port), new IPEndPoint(new IPAddress(peer), last.Connection.Peer.Port));
            ConnectionSnapshot copy = last with { Connection = connection };
            RawSocketHandle handle = new(-1);
            long bytes = GC.GetAllocatedBytesForCurrentThread() - before;
            handle.Dispose();
            GC.KeepAlive(copy);
            return bytes;
        }
    }

    /// <param name="address">Where the listener is.</param>
    /// <param name="queueBytes">What is unread, and what is written and cannot leave since the peer's window is closed; 0 for idle connections.</param>
    public static KernelConnections Make(string address, int count, int queueBytes)
    {
        KernelConnections connections = new(count);
        using Socket listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Parse(address), 0));
        listener.Listen(128);
        for (int i = 0; i < count; i++)
        {
            Socket peer = connections._peers[i] = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            if (queueBytes > 0)
                peer.ReceiveBufferSize = PeerReceiveBufferBytes;
            peer.Connect(listener.LocalEndPoint!);
            connections._accepted[i] = listener.Accept();
            connections._own[i] = connections._accepted[i].SafeHandle;
            if (queueBytes > 0)
                Fill(connections._own[i], peer, queueBytes);
        }

        return connections;
    }

    /// <summary>What the passes so far have allocated.</summary>
    public long AllocatedBytes { get; private set; }

    /// <summary>Passes each of a part of the connections once.</summary>
    public PassCost Pass(int first, int count)
    {
        long allocatedBefore = GC.GetAllocatedBytesForCurrentThread();
        TimeSpan processorStart = Environment.CpuUsage.TotalTime;
        long start = Stopwatch.GetTimestamp();
        for (int i = first; i < first + count; i++)
            _own[i] = Pass(_own[i]);
        TimeSpan time = Stopwatch.GetElapsedTime(start);
        TimeSpan processorTime = Environment.CpuUsage.TotalTime - processorStart;
        AllocatedBytes += GC.GetAllocatedBytesForCurrentThread() - allocatedBefore;
        return new PassCost(time.TotalMicroseconds, processorTime.TotalMicroseconds);
    }

    public void Dispose()
    {
        foreach (Socket socket in _peers.Concat(_accepted))
            socket.Dispose();
        foreach (SafeHandle socket in _own)
            socket.Dispose();
        _gate.Dispose();
    }

    private SafeHandle Pass(SafeHandle socket)
    {
        FrozenConnection frozen = _frozen = FrozenConnection.Freeze(socket, _gate, slot: 0, epoch: 0, _frozen);
        ConnectionSnapshot snapshot = _last = frozen.Capture(_buffers);
        long stoodStillSince = Stopwatch.GetTimestamp() - (long)(frozen.StoodStill.TotalSeconds * Stopwatch.Frequency);
        frozen.MarkSent();
        frozen.Release();
        DormantConnection dormant = _dormant = DormantConnection.Restore(snapshot, _gate, slot: 0, stoodStillSince, _dormant);
        SafeHandle restored = dormant.Wake(acknowledged: null);
        dormant.Finish();
        SnapshotBuffers.Return(snapshot, _buffers);
        return restored;
    }

    private static void Fill(SafeHandle own, Socket peer, int queueBytes)
    {
        byte[] zeroes = new byte[queueBytes];
        peer.Send(zeroes);
        SpinWait.SpinUntil(() => SocketQueues.UnreadBytes(own) == queueBytes);
        // Until what the peer takes no longer changes the length.
        for (int quiet = 0; quiet < 2; quiet++)
        {
            int missing = queueBytes - SocketQueues.UnacknowledgedBytes(own);
            if (missing > 0 && SocketQueues.Send(own, zeroes.AsSpan(0, missing)) > 0)
                quiet = 0;
            Thread.Sleep(TimeSpan.FromMicroseconds(100));
        }
    }
}
