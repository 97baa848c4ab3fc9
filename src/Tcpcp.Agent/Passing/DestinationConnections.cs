using System.Net.Sockets;
using System.Runtime.InteropServices;
using Tcpcp.Agent.Redirection;
using Tcpcp.Core;
using Tcpcp.Linux;
using FourTuple = Tcpcp.Core.FourTuple;
using RawSocketHandle = Tcpcp.Linux.Tcp.RawSocketHandle;

namespace Tcpcp.Agent.Passing;

/// <summary>The connections of a pass at the destination: behind the gate, dormant, then alive.</summary>
internal sealed class DestinationConnections(HostServices host, IReadOnlyList<FourTuple> names, uint slot)
{
    private readonly List<DormantConnection?> _dormant = [];
    private readonly List<SafeHandle?> _awake = [];
    private readonly Dictionary<SafeHandle, Socket> _adopted = []; // whose handles have a socket already: a second one would share it, and the first one's finalizer close it
    private readonly HashSet<FourTuple> _closedGates = [];
    private bool _isRecovered;

    public IReadOnlyList<FourTuple> Names => names;

    /// <summary>The dormant sockets, in the order of the names.</summary>
    public IReadOnlyList<SafeHandle> Dormant => [.. _dormant.Select(dormant => dormant!.Socket)];

    /// <summary>What connections were restored without, and why; empty: they have all that was wanted.</summary>
    public string NotKept { get; private set; } = "";

    /// <exception cref="InvalidOperationException">Another pass has closed the gate of one.</exception>
    public void CloseGates()
    {
        foreach (FourTuple name in names)
        {
            if (!host.Gate.Close(name))
                throw new InvalidOperationException($"The gate of {name} is closed by another pass.");
            _closedGates.Add(name);
        }
    }

    /// <summary>After the death of this agent: the gates that are closed are this pass's.</summary>
    /// <returns>Whether packets are diverted to here.</returns>
    public bool RecoverGates()
    {
        _isRecovered = true;
        _closedGates.UnionWith(names.Intersect(host.Gate.Closed));
        bool diverted = false;
        foreach (FourTuple name in names)
            diverted |= host.Redirection.Recover(name);
        return diverted;
    }

    public void ArmHold() => host.Hold.Arm(names);

    /// <summary>Makes the sockets, all or none.</summary>
    /// <param name="snapshots">Of the named connections, validated.</param>
    public void Restore(IReadOnlyList<Core.ConnectionSnapshot> snapshots, long stoodStillSince)
    {
        foreach (Core.ConnectionSnapshot snapshot in snapshots)
            _dormant.Add(Restore(snapshot, stoodStillSince));
        NotKept = string.Join(' ', snapshots.Zip(_dormant, FindNotKept).OfType<string>());
        foreach (FourTuple name in names)
            host.Redirection.AwaitArrival(name);
    }

    private string? FindNotKept(Core.ConnectionSnapshot snapshot, DormantConnection? dormant) =>
        dormant?.KeepObstacle is { } obstacle ? $"{snapshot.Connection} goes on without what was to be kept: {obstacle}"
        : snapshot.Negotiated.Ecn && host.Options.Ecn == EcnPolicy.Drop ? $"{snapshot.Connection} goes on without ECN, on which it had agreed (ecn: drop)."
        : null;

    // Whether the path to the peer is the same is known here, not at the origin.
    private DormantConnection Restore(Core.ConnectionSnapshot snapshot, long stoodStillSince) => DormantConnection.Restore(
        snapshot with { Congestion = snapshot.Congestion with { Start = host.Options.Congestion } },
        host.Gate, slot, stoodStillSince, isForeign: host.Redirection.IsForeign(snapshot.Connection), keepsEcn: host.Options.Ecn == EcnPolicy.Keep);

    /// <summary>Makes the sockets again after the death of their holders. One whose gate is open may have lived already: it ended with them.</summary>
    /// <returns>What could not be made again; null if all could.</returns>
    /// <param name="held">What the application has of them, in their order.</param>
    public string? Recover(IReadOnlyList<Core.ConnectionSnapshot> snapshots, long stoodStillSince, IReadOnlyList<Socket?> held)
    {
        List<string> faults = [];
        foreach (Core.ConnectionSnapshot snapshot in snapshots)
        {
            try
            {
                if (_dormant.Count < held.Count && held[_dormant.Count] is { } socket)
                {
                    _adopted[socket.SafeHandle] = socket;
                    _dormant.Add(DormantConnection.Adopt(socket.SafeHandle, snapshot, host.Gate));
                    continue;
                }

                _dormant.Add(!_closedGates.Contains(snapshot.Connection) ? null : Restore(snapshot, stoodStillSince));
                if (_dormant[^1] is null)
                    faults.Add($"{snapshot.Connection} lived already, and ended with its application.");
            }
            catch (Exception e) when (e is KernelException or NotRestorableException)
            {
                _dormant.Add(null);
                faults.Add(e.Message);
            }
        }

        return faults.Count == 0 ? null : string.Join(' ', faults);
    }

    /// <summary>The sockets can receive and send; their packets are still held.</summary>
    /// <returns>What could not be woken and has been reset, this host being its owner; null if all could.</returns>
    public string? Wake()
    {
        List<string> broken = [];
        for (int i = 0; i < _dormant.Count; i++)
        {
            if (_dormant[i] is not { } dormant)
            {
                _awake.Add(null);
                if (_closedGates.Contains(names[i]))
                    End(names[i], () => host.Gate.Open(names[i]), broken); // it could not be made again: what the peer sends is answered with an RST
                continue;
            }

            try
            {
                _awake.Add(dormant.Wake(host.Hold.HighestAcknowledgement(dormant.Connection)));
                _closedGates.Remove(dormant.Connection);
            }
            catch (Exception e) when (e is KernelException or ObjectDisposedException)
            {
                broken.Add($"{names[i]}: {e.Message}");
                _awake.Add(null);
                using (dormant)
                    End(names[i], dormant.Abort, broken);
                _dormant[i] = null;
            }
        }

        return broken.Count == 0 ? null : string.Join(' ', broken);
    }

    private void End(FourTuple name, Action openGate, List<string> broken)
    {
        _closedGates.Remove(name);
        try
        {
            openGate();
        }
        catch (Exception e) when (e is KernelException or SocketException)
        {
            broken.Add($"{name}: {e.Message} Its gate may be closed still: tcpcp doctor --clean opens it.");
        }
    }

    /// <summary>What was held arrives, and what was never sent leaves.</summary>
    /// <returns>How many packets were replayed and dropped; and what could not go on and has been reset: this host owned it and its stream had a hole.</returns>
    public (int Replayed, int Dropped, string? Broken) Finish()
    {
        (int replayed, int dropped) = (0, 0);
        List<string> broken = [];
        for (int i = 0; i < _dormant.Count; i++)
        {
            using DormantConnection? dormant = _dormant[i];
            (int count, int lost) = host.Hold.Replay(names[i]);
            (replayed, dropped) = (replayed + count, dropped + lost);
            try
            {
                dormant?.Finish();
            }
            catch (Exception e) when (e is KernelException or ObjectDisposedException)
            {
                broken.Add($"{names[i]}: {e.Message}");
                Reset(_awake[i]!);
                _awake[i] = null;
            }
        }

        _dormant.Clear();
        return (replayed, dropped, broken.Count == 0 ? null : string.Join(' ', broken));
    }

    private static void Reset(SafeHandle handle)
    {
        using (handle)
        {
            try
            {
                using Socket socket = RawSocketHandle.SocketOf(handle);
                socket.LingerState = new LingerOption(true, 0);
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // It has ended by itself: the kernel tells the peer.
            }
        }
    }

    /// <summary>The sockets that live, for the application; null stands for one that ended.</summary>
    public IReadOnlyList<Socket?> TakeSockets()
    {
        Socket?[] sockets = [.. _awake.Select(handle => handle is null ? null : _adopted.GetValueOrDefault(handle) ?? RawSocketHandle.SocketOf(handle))];
        _awake.Clear();
        _adopted.Clear();
        return sockets;
    }

    /// <summary>Closes the copies silently; the gates stay closed.</summary>
    public void Discard()
    {
        foreach (DormantConnection? dormant in _dormant)
            dormant?.Dispose();
        _dormant.Clear();
        // After the death of the agent an application may hold some still.
        foreach (FourTuple name in _isRecovered ? names : [])
        {
            if (host.Sockets.Find(name) is { Mark: { } mark } socket && host.Gate.Options.IsGateMark(mark))
                host.Sockets.Destroy(socket);
        }
    }

    /// <summary>The packets go to the origin again.</summary>
    /// <returns>What was held, for it.</returns>
    public IReadOnlyList<byte[]> GiveBack(OtherHost? origin)
    {
        foreach (FourTuple name in names)
            host.Redirection.Undo(name, origin);
        return [.. names.SelectMany(host.Hold.Take)];
    }

    /// <summary>Drops what is held and what comes: nobody has asked for it.</summary>
    public void StopHolding()
    {
        foreach (FourTuple name in names)
            host.Hold.Take(name);
    }

    /// <summary>Opens the gates that this pass has closed.</summary>
    public void OpenGates()
    {
        foreach (FourTuple name in _closedGates)
        {
            host.Hold.Take(name);
            host.Gate.Open(name);
        }

        _closedGates.Clear();
    }
}
