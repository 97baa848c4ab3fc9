using System.Diagnostics;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Tcpcp.Core;
using Tcpcp.Gate;
using Tcpcp.Linux;
using Tcpcp.Linux.Diagnostics;
using Tcpcp.Linux.Tcp;

namespace Tcpcp.Tests.HostileSnapshots;

/// <summary>
/// Whatever a snapshot says: it is refused by name, or restored. Nothing is sent before the activation, nothing is left, the kernel has nothing to complain of, and other
/// connections go on.
/// </summary>
public sealed class HostileSnapshotTests(PassLab lab, ITestOutputHelper output) : IClassFixture<PassLab>
{
    private const int QueueBytes = 20_000;

    [Theory]
    [InlineData(IPKind.IPv4, TcpState.Established)]
    [InlineData(IPKind.IPv6, TcpState.Established)]
    [InlineData(IPKind.V4Mapped, TcpState.Established)]
    [InlineData(IPKind.IPv4, TcpState.FinWait1)]
    [InlineData(IPKind.IPv6, TcpState.FinWait2)]
    [InlineData(IPKind.IPv4, TcpState.CloseWait)]
    [InlineData(IPKind.IPv6, TcpState.LastAck)]
    [InlineData(IPKind.IPv4, TcpState.Closing)]
    public async Task Every_edge_of_every_field_is_refused_by_name_or_restored_in_silence(IPKind kind, TcpState state)
    {
        KernelLog log = await KernelLog.BeginAsync();
        await using LivePair other = LivePair.Connect(lab, kind);
        await using LivePair pair = LivePair.Connect(lab, kind, isCaptured: false);
        ConnectionSnapshot valid = await TakeAsync(pair, state);
        PassLab.Move(pair.Address, lab.Origin, lab.Destination);

        Outcomes outcomes = new();
        using (SilentInterface wire = new(lab.Destination))
        {
            lab.Destination.Run(() => Restore(valid, outcomes, activates: false));
            await wire.SettleAsync(lab.Peer.IPv4);
            Assert.True(wire.TcpPackets == 0, $"{wire.TcpPackets} packets were sent before any activation.");
            outcomes.Silent = outcomes.Time.Elapsed;
            lab.Destination.Run(() => Restore(valid, outcomes, activates: true));
            await wire.SettleAsync(lab.Peer.IPv4);
            Assert.NotEqual(0, wire.TcpPackets);
        }

        output.WriteLine(outcomes.ToString());
        foreach (string reason in outcomes.Reasons)
            output.WriteLine(reason);
        Assert.True(outcomes.Invalid > 100 && outcomes.Restored > 100 && outcomes.Activated > 100, outcomes.ToString());
        await log.AssertCleanAsync();
        await other.ExchangeAsync();
        other.PassTo(lab.Destination);
        await other.ExchangeAsync();
        await other.JudgeAsync();
    }

    [Theory]
    [InlineData(0x7C70_0000u)]
    [InlineData(0x7C70_0001u)]
    [InlineData(0x7C71_0000u)]
    public async Task A_mark_of_the_gate_is_refused(uint mark)
    {
        await using LivePair pair = LivePair.Connect(lab, isCaptured: false);
        ConnectionSnapshot valid = await TakeAsync(pair, TcpState.Established);
        PassLab.Move(pair.Address, lab.Origin, lab.Destination);
        InvalidSnapshotException e = lab.Destination.Run(() => Assert.Throws<InvalidSnapshotException>(
            () => DormantConnection.Restore(valid with { Options = valid.Options with { Mark = mark } }, TimeSpan.Zero)));
        Assert.Contains("the gate's", e.Message, StringComparison.Ordinal);
    }

    private static void Restore(ConnectionSnapshot valid, Outcomes outcomes, bool activates)
    {
        using ConnectionGate gate = ConnectionGate.Open();
        using SocketDiagnostics sockets = new();
        HashSet<FourTuple> before = [.. sockets.List().Select(socket => socket.Connection)];
        foreach ((string change, Core.Wire.ConnectionSnapshot message) in SnapshotVariants.Of(SnapshotWire.ToMessage(valid)))
        {
            if (Understand(message, outcomes) is not { } snapshot)
                continue;
            long started = Stopwatch.GetTimestamp();
            try
            {
                Restore(snapshot, gate, outcomes, activates);
            }
            catch (Exception e) when (e is KernelException or NotRestorableException or InvalidSnapshotException)
            {
                Assert.NotEmpty(e.Message);
                outcomes.Refused++;
                outcomes.Reasons.Add($"{change}: {e.Message}");
            }
            catch (Exception e)
            {
                Assert.Fail($"{change}: {e}");
            }

            if (Stopwatch.GetElapsedTime(started) is { TotalMilliseconds: > 500 } slow)
                outcomes.Slow.Add($"{change}: {slow.TotalMilliseconds:F0} ms");
        }

        Assert.Empty(sockets.List().Select(socket => socket.Connection).Except(before));
        Assert.DoesNotContain(gate.Closed, closed => closed != valid.Connection);
    }

    private static void Restore(ConnectionSnapshot snapshot, ConnectionGate gate, Outcomes outcomes, bool activates)
    {
        Assert.True(gate.Close(snapshot.Connection), "The gate was closed already.");
        bool isOpen = false;
        try
        {
            using DormantConnection dormant = DormantConnection.Restore(snapshot, gate, slot: 0, Stopwatch.GetTimestamp());
            Assert.True(RepairMode.IsOn(dormant.Socket));
            Assert.Equal(snapshot.Connection, RawSocket.Ends(dormant.Socket, out _, out _));
            outcomes.Restored++;
            if (!activates)
                return;
            using SafeHandle socket = dormant.Wake(acknowledged: null);
            isOpen = true;
            dormant.Finish();
            outcomes.Activated++;
            SocketOption.Set(socket, SocketLevel.SOL_SOCKET, SocketLevel.SO_LINGER, new Linux.Tcp.LingerOption { l_onoff = 1 }); // the peer is gone
        }
        finally
        {
            if (!isOpen)
                gate.Open(snapshot.Connection); // twice is a transaction that fails, which takes the kernel 16 ms
        }
    }

    private static ConnectionSnapshot? Understand(Core.Wire.ConnectionSnapshot message, Outcomes outcomes)
    {
        try
        {
            ConnectionSnapshot snapshot = SnapshotWire.FromMessage(message);
            if (SnapshotValidator.FindFault(snapshot) is not { } fault)
                return snapshot;
            Assert.NotEmpty(fault);
        }
        catch (InvalidSnapshotException e)
        {
            Assert.NotEmpty(e.Message);
        }

        outcomes.Invalid++;
        return null;
    }

    /// <summary>A connection in that state, with full queues where it has any. Its peer is gone without a word.</summary>
    private async Task<ConnectionSnapshot> TakeAsync(LivePair pair, TcpState state)
    {
        await pair.ExchangeAsync(1000);
        await Until.True(() => SocketState.Unacknowledged(pair.Service.Socket) == 0);
        pair.Peer.Send(QueueBytes);
        await Until.True(() => pair.Service.Socket.Available == QueueBytes);
        if (state is TcpState.CloseWait or TcpState.LastAck)
            await ShutDownAsync(pair, pair.Peer, TcpState.CloseWait);
        if (state == TcpState.FinWait2)
            await ShutDownAsync(pair, pair.Service, TcpState.FinWait2);
        ConnectionSnapshot snapshot;
        using (lab.Losses.From(pair.Address))
        {
            if (!state.HasOwnFin() || state != TcpState.FinWait2)
                pair.Service.Send(QueueBytes);
            if (state is TcpState.FinWait1 or TcpState.Closing)
                await ShutDownAsync(pair, pair.Service, TcpState.FinWait1);
            if (state == TcpState.Closing)
                await ShutDownAsync(pair, pair.Peer, TcpState.Closing);
            if (state == TcpState.LastAck)
                await ShutDownAsync(pair, pair.Service, TcpState.LastAck);
            snapshot = pair.Take();
            RepairMode.Enter(pair.Peer.Socket.SafeHandle);
            RawSocket.Dissolve(pair.Peer.Socket.SafeHandle);
        }

        Assert.Equal(state, snapshot.State);
        Assert.Null(SnapshotValidator.FindFault(snapshot));
        return snapshot;
    }

    private static async Task ShutDownAsync(LivePair pair, StreamEnd end, TcpState expected)
    {
        end.Socket.Shutdown(SocketShutdown.Send);
        await Until.True(() => SocketState.StateOf(pair.Service.Socket) == expected, state: () => SocketState.StateOf(pair.Service.Socket).ToString());
    }

    /// <summary>How many came to what.</summary>
    private sealed class Outcomes
    {
        public int Invalid { get; set; }

        public int Refused { get; set; }

        public int Restored { get; set; }

        public int Activated { get; set; }

        public List<string> Slow { get; } = [];

        public List<string> Reasons { get; } = [];

        public Stopwatch Time { get; } = Stopwatch.StartNew();

        public TimeSpan Silent { get; set; }

        public override string ToString() => $"{Invalid} invalid, {Refused} refused by the kernel, {Restored} restored, {Activated} activated in {Silent.TotalSeconds:F1} and {Time.Elapsed.TotalSeconds:F1} s; slow: {string.Join(", ", Slow)}";
    }
}
