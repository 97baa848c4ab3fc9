using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Tcpcp.Capture;
using Tcpcp.Core;
using Tcpcp.Gate;
using Tcpcp.Linux;
using Tcpcp.Linux.Tcp;

namespace Tcpcp.Tests;

/// <summary>What cannot be passed is refused by name, and goes on as if nothing had been asked.</summary>
public sealed class RefusalTests(PassLab lab) : IClassFixture<PassLab>
{
    private const int EPROTONOSUPPORT = 93; // asm-generic/errno.h

    [Fact]
    public void A_listening_socket_is_refused()
    {
        using Socket socket = lab.Origin.Run(() => LivePair.Listen(IPKind.IPv4, IPAddress.Any, 0));
        Assert.Equal(NotPassableReason.State, FreezeAndFail(socket).Reason);
    }

    [Fact]
    public void An_unconnected_socket_is_refused()
    {
        using Socket socket = lab.Origin.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
        Assert.Equal(NotPassableReason.State, FreezeAndFail(socket).Reason);
    }

    [Fact]
    public void A_UDP_socket_is_refused()
    {
        using Socket socket = lab.Origin.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp));
        socket.Connect(lab.Peer.IPv4, 9);
        Assert.Equal(NotPassableReason.NotTcp, FreezeAndFail(socket).Reason);
    }

    [Fact]
    public async Task A_connection_that_the_peer_has_reset_is_refused()
    {
        await using LivePair pair = LivePair.Connect(lab);
        await ResetAsync(pair);
        Assert.Equal(NotPassableReason.State, FreezeAndFail(pair.Service.Socket).Reason);
    }

    [Fact]
    public async Task A_connection_that_both_ends_have_closed_is_refused()
    {
        await using LivePair pair = LivePair.Connect(lab);
        pair.Service.Socket.Shutdown(SocketShutdown.Send);
        pair.Peer.Socket.Shutdown(SocketShutdown.Send);
        // The kernel keeps TIME_WAIT apart from the socket, which is closed.
        await Until.True(() => SocketState.StateOf(pair.Service.Socket) == TcpState.Closed);
        Assert.Equal(NotPassableReason.State, FreezeAndFail(pair.Service.Socket).Reason);
    }

    [Fact]
    public async Task A_connection_that_is_being_made_is_refused()
    {
        using Socket socket = lab.Origin.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { Blocking = false });
        socket.Bind(new IPEndPoint(lab.Origin.IPv4, 0));
        IDisposable loss = lab.LoseToPeer(lab.Origin);
        try
        {
            Assert.Throws<SocketException>(() => socket.Connect(lab.Peer.IPv4, 9));
            Assert.Equal(TcpState.SynSent, SocketState.StateOf(socket));
            Assert.Equal(NotPassableReason.State, FreezeAndFail(socket).Reason);
            // A SYN that crosses ours (RFC 9293, 3.5): the same socket is in SYN-RECEIVED then.
            IPEndPoint local = (IPEndPoint)socket.LocalEndPoint!;
            ForgedSegment.SendSyn(lab, new FourTuple(local, new IPEndPoint(lab.Peer.IPv4, 9)));
            await Until.True(() => SocketState.StateOf(socket) == TcpState.SynReceived);
            Assert.Equal(NotPassableReason.State, FreezeAndFail(socket).Reason);
        }
        finally
        {
            loss.Dispose();
        }
    }

    [Fact]
    public void A_Multipath_TCP_socket_is_refused()
    {
        const int IPPROTO_MPTCP = 262; // linux/in.h
        SafeHandle socket;
        try
        {
            socket = lab.Origin.Run(() => RawSocket.Create(ipv6: false, IPPROTO_MPTCP));
        }
        catch (KernelException e) when (e.Errno is EPROTONOSUPPORT or Errno.ENOPROTOOPT)
        {
            Assert.Skip("This kernel has no Multipath TCP, or net.mptcp.enabled is 0.");
            return;
        }

        using (socket)
            Assert.Equal(NotPassableReason.NotTcp, Assert.Throws<NotPassableException>(() => lab.Origin.Run(() => FrozenConnection.Freeze(socket))).Reason);
    }

    [Fact]
    public async Task A_connection_with_TCP_MD5_keys_is_refused()
    {
        if (!Md5.IsSupported)
            Assert.Skip("This kernel has no TCP-MD5.");
        await using LivePair pair = LivePair.Connect(lab, listener: Md5.SetKey, peer: Md5.SetKey);
        await pair.ExchangeAsync();
        Assert.Equal(NotPassableReason.SignedSegments, FreezeAndFail(pair.Service.Socket).Reason);
        AssertUntouched(pair);
        await pair.ExchangeAsync();
    }

    [Fact]
    public async Task Unread_urgent_data_is_refused_and_read_urgent_data_is_not()
    {
        await using LivePair pair = LivePair.Connect(lab);
        pair.Peer.Socket.Send([42], SocketFlags.OutOfBand);
        await Until.True(() => SocketQueues.HasUrgentData(pair.Service.Socket.SafeHandle));
        Assert.Equal(NotPassableReason.UrgentData, FreezeAndFail(pair.Service.Socket).Reason);
        AssertUntouched(pair);
        byte[] urgent = new byte[1];
        Assert.Equal((1, 42), (pair.Service.Socket.Receive(urgent, SocketFlags.OutOfBand), urgent[0]));
        await pair.ExchangeAsync();
        pair.PassTo(lab.Destination);
        await pair.ExchangeAsync();
    }

    [Fact]
    public async Task Urgent_data_that_was_read_before_the_data_in_front_of_it_is_refused()
    {
        await using LivePair pair = LivePair.Connect(lab);
        pair.Peer.Send(100);
        pair.Peer.Socket.Send([42], SocketFlags.OutOfBand);
        pair.Peer.Send(100);
        await Until.True(() => SocketQueues.HasUrgentData(pair.Service.Socket.SafeHandle));
        pair.Service.Socket.Receive(new byte[1], SocketFlags.OutOfBand);
        Assert.Equal(NotPassableReason.UrgentData, FreezeAndFail(pair.Service.Socket).Reason);
        AssertUntouched(pair);
        await pair.ExchangeAsync();
    }

    [Fact]
    public async Task Urgent_data_that_the_application_takes_inline_is_passed_as_data()
    {
        await using LivePair pair = LivePair.Connect(lab);
        SocketState.Set(pair.Service.Socket, SocketLevel.SOL_SOCKET, SocketLevel.SO_OOBINLINE, 1);
        pair.Peer.Socket.Send([42], SocketFlags.OutOfBand);
        await Until.True(() => pair.Service.Socket.Available == 1);
        Assert.Equal([42], pair.PassTo(lab.Destination).Unread.ToArray());
        byte[] urgent = new byte[1];
        Assert.Equal((1, 42), (pair.Service.Socket.Receive(urgent), urgent[0]));
        await pair.ExchangeAsync();
    }

    [Fact]
    public async Task What_becomes_unpassable_just_before_the_gate_closes_is_refused_too()
    {
        await using LivePair pair = LivePair.Connect(lab);
        PassableSocket passable = Passability.Require(pair.Service.Socket.SafeHandle, new GateOptions(), out _);
        await ResetAsync(pair);
        RepairMode.Enter(pair.Service.Socket.SafeHandle);
        NotPassableException refused = Assert.Throws<NotPassableException>(
            () => ConnectionCapture.Capture(pair.Service.Socket.SafeHandle, passable, SocketState.Options(pair.Service.Socket), inFlight: 0, sentTimestamp: null, out _));
        Assert.Equal(NotPassableReason.State, refused.Reason);
    }

    [Fact]
    public async Task A_frozen_connection_is_not_frozen_again()
    {
        await using LivePair pair = LivePair.Connect(lab);
        FrozenConnection frozen = pair.Freeze();
        Assert.Equal(NotPassableReason.AlreadyPassing, FreezeAndFail(pair.Service.Socket).Reason);
        frozen.Thaw();
        await pair.ExchangeAsync();
    }

    [Fact]
    public async Task A_connection_whose_gate_another_pass_has_closed_is_refused()
    {
        await using LivePair pair = LivePair.Connect(lab);
        using ConnectionGate gate = lab.Origin.Run(() => ConnectionGate.Open());
        gate.Close(pair.Connection);
        Assert.Equal(NotPassableReason.AlreadyPassing, FreezeAndFail(pair.Service.Socket).Reason);
        Assert.True(gate.Open(pair.Connection)); // it was left closed
        AssertUntouched(pair);
        await pair.ExchangeAsync();
    }

    [Theory]
    [InlineData("queue")]
    [InlineData("window")]
    [InlineData("scale")]
    [InlineData("port")]
    [InlineData("state")]
    public async Task A_snapshot_that_is_not_valid_is_refused(string fault)
    {
        await using LivePair pair = LivePair.Connect(lab);
        ConnectionSnapshot snapshot = CaptureAndThaw(pair);
        ConnectionSnapshot damaged = fault switch
        {
            "queue" => snapshot with { Sent = new byte[1] },
            "window" => snapshot with { Window = snapshot.Window with { RcvWup = snapshot.RcvNxt + 1 } },
            "scale" => snapshot with { Negotiated = snapshot.Negotiated with { SndWscale = 15 } },
            "port" => snapshot with { Connection = new FourTuple(pair.Connection.Local, new IPEndPoint(pair.Connection.Peer.Address, 0)) },
            _ => snapshot with { State = TcpState.TimeWait },
        };
        Assert.Throws<InvalidSnapshotException>(() => lab.Destination.Run(() => DormantConnection.Restore(damaged, TimeSpan.Zero)));
        AssertGateIsOpen(lab.Destination, pair.Connection);
        await pair.ExchangeAsync();
    }

    [Fact]
    public async Task An_address_that_the_destination_has_not_is_refused()
    {
        await using LivePair pair = LivePair.Connect(lab);
        ConnectionSnapshot snapshot = CaptureAndThaw(pair);
        NotRestorableException refused = Assert.Throws<NotRestorableException>(
            () => lab.Destination.Run(() => DormantConnection.Restore(snapshot, TimeSpan.Zero)));
        Assert.Equal((NotRestorableReason.AddressNotHere, pair.Connection), (refused.Reason, refused.Connection));
        AssertGateIsOpen(lab.Destination, pair.Connection);
        await pair.ExchangeAsync();
    }

    [Fact]
    public async Task A_connection_that_lives_here_is_not_restored_beside_itself()
    {
        await using LivePair pair = LivePair.Connect(lab);
        ConnectionSnapshot snapshot = CaptureAndThaw(pair);
        NotRestorableException refused = Assert.Throws<NotRestorableException>(
            () => lab.Origin.Run(() => DormantConnection.Restore(snapshot, TimeSpan.Zero)));
        Assert.Equal((NotRestorableReason.AlreadyAlive, pair.Connection), (refused.Reason, refused.Connection));
        AssertUntouched(pair);
        await pair.ExchangeAsync();
        await pair.JudgeAsync();
    }

    private NotPassableException FreezeAndFail(Socket socket) =>
        Assert.Throws<NotPassableException>(() => lab.Origin.Run(() => FrozenConnection.Freeze(socket)));

    private static ConnectionSnapshot CaptureAndThaw(LivePair pair)
    {
        using FrozenConnection frozen = pair.Freeze();
        return frozen.Capture();
    }

    private void AssertUntouched(LivePair pair)
    {
        Assert.False(RepairMode.IsOn(pair.Service.Socket.SafeHandle));
        Assert.Equal(0u, SocketState.Options(pair.Service.Socket).Mark);
        Assert.Equal(TimeSpan.Zero, SocketState.Options(pair.Service.Socket).UserTimeout);
        AssertGateIsOpen(lab.Origin, pair.Connection);
    }

    private static void AssertGateIsOpen(Lab.Host host, FourTuple connection)
    {
        using ConnectionGate gate = host.Run(() => ConnectionGate.Open());
        Assert.False(gate.Open(connection));
    }

    private static async Task ResetAsync(LivePair pair)
    {
        pair.Peer.Socket.LingerState = new System.Net.Sockets.LingerOption(true, 0);
        pair.Peer.Socket.Close();
        await Until.True(() => SocketState.StateOf(pair.Service.Socket) == TcpState.Closed);
    }
}
