using System.Collections.Concurrent;
using System.Net.Sockets;
using Tcpcp.Check;
using Tcpcp.Core;
using Tcpcp.Lab;
using Tcpcp.Lab.Capture;
using static Tcpcp.Linux.Tcp.SocketLevel;

namespace Tcpcp.Tests.EveryConnection;

/// <summary>
/// Every connection that can be passed: the product of address families, states, queues, windows and missing options, for one path. Each is passed there
/// and back, its bytes are compared and the peer's capture is judged.
/// </summary>
public abstract class EveryConnectionTests(PassLab path)
{
    private const int AtATime = 28; // they mostly wait
    private const int WideBuffer = 8 << 20;
    private const int NarrowBuffer = 16 << 10;
    private const int BeginningBytes = 1000; // of the peer: the service's congestion window stays at its beginning

    /// <summary>All states, queues and windows of a kind of connection, many at a time.</summary>
    protected async Task PassThereAndBackAsync(IPKind kind, Lacking lacking)
    {
        Agree(lacking);
        PacketCapture capture = path.StartCapture();
        ConcurrentBag<(ConnectionCase Case, LivePair Pair)> passed = [];
        ConcurrentBag<string> failures = [];
        await Parallel.ForEachAsync(ConnectionCase.All(kind, lacking), new ParallelOptions { MaxDegreeOfParallelism = AtATime }, async (wanted, _) =>
        {
            try
            {
                passed.Add((wanted, await PassThereAndBackAsync(wanted)));
            }
            catch (Exception e)
            {
                failures.Add($"{wanted}: {e}");
            }
        });
        await capture.StopAsync();
        CaptureReport report = CaptureJudge.Judge(capture.Path, new JudgeOptions { Peer = path.PeerAddress(kind), IsStrict = true });
        foreach ((ConnectionCase wanted, LivePair pair) in passed)
        {
            try
            {
                pair.Judge(report, mayHaveServiceFin: true, wanted.Window == ZeroWindow.OfService, finding => SegmentListing.Around(capture.Path, finding));
            }
            catch (Exception e)
            {
                failures.Add($"{wanted}: {e.Message}");
            }
        }

        File.Delete(capture.Path);
        Assert.True(failures.IsEmpty, $"{failures.Count} of {failures.Count + passed.Count}:\n{string.Join('\n', failures)}");
    }

    private async Task<LivePair> PassThereAndBackAsync(ConnectionCase wanted)
    {
        LivePair pair = LivePair.Connect(path, wanted.Kind,
            listener: socket =>
            {
                SocketState.Set(socket, SOL_SOCKET, SO_RCVBUFFORCE, wanted.Window == ZeroWindow.OfService ? NarrowBuffer : WideBuffer);
                SocketState.Set(socket, SOL_SOCKET, SO_SNDBUFFORCE, WideBuffer);
            },
            peer: socket => SocketState.Set(socket, SOL_SOCKET, SO_RCVBUFFORCE, wanted.Window == ZeroWindow.OfPeer ? NarrowBuffer : WideBuffer),
            isCaptured: false);
        await using (pair)
        {
            await SendAsync(pair.Peer, BeginningBytes, () => pair.Service.Receive() >= 0 && pair.Service.Received == BeginningBytes);
            ConnectionSnapshot there, back;
            using (IDisposable? loss = await BringAboutAsync(pair, wanted))
            {
                there = pair.PassTo(path.Destination);
                back = pair.Take();
                DormantConnection dormant = pair.RestoreAt(path.Origin, back);
                loss?.Dispose();
                pair.Activate(dormant);
            }

            AssertCaptured(wanted, there);
            AssertCaptured(wanted, back);
            await CompleteAsync(pair, wanted);
        }

        return pair;
    }

    private void Agree(Lacking lacking) => path.Peer.Run(() =>
    {
        Sysctl.Write("net/ipv4/tcp_timestamps", lacking == Lacking.Timestamps ? "0" : "1");
        Sysctl.Write("net/ipv4/tcp_sack", lacking == Lacking.Sack ? "0" : "1");
        Sysctl.Write("net/ipv4/tcp_window_scaling", lacking == Lacking.WindowScaling ? "0" : "1");
    });

    /// <returns>While it is open the peer and the service do not hear of each other; null if that is not needed.</returns>
    private async Task<IDisposable?> BringAboutAsync(LivePair pair, ConnectionCase wanted)
    {
        // First what the service has received and not read, then the peer's FIN, then what the service has sent: from then on nothing reaches the peer.
        if (wanted.Window == ZeroWindow.OfService)
            await FillAsync(pair.Peer);
        else
            await SendAsync(pair.Peer, wanted.Bytes, () => pair.Service.Socket.Available == wanted.Bytes);
        if (wanted.State is TcpState.CloseWait or TcpState.LastAck)
            await ShutDownAsync(pair.Peer, pair.Service, TcpState.CloseWait);
        if (wanted.State == TcpState.FinWait2)
            await ShutDownAsync(pair.Service, pair.Service, TcpState.FinWait2);
        if (wanted.Window == ZeroWindow.OfPeer)
            await FillAsync(pair.Service);
        if (wanted.State == TcpState.FinWait2 || (wanted.Bytes == 0 && wanted.ServiceSends))
            return null;

        // Either the peer lacks what is in flight, or it has it and its acknowledgement is lost. Crossing FINs are of the first kind.
        // On loopback what this host makes itself would be lost too.
        IDisposable loss = wanted.Queues is QueueSize.OneByte or QueueSize.Empty || wanted.State == TcpState.Closing || path.IsLoopback
            ? path.Losses.From(pair.Address)
            : path.Losses.To(pair.Address);
        if (wanted.Window != ZeroWindow.OfPeer)
            await SendAsync(pair.Service, wanted.Bytes, () => true);
        if (wanted.State is TcpState.FinWait1 or TcpState.Closing)
            await ShutDownAsync(pair.Service, pair.Service, TcpState.FinWait1);
        if (wanted.State == TcpState.Closing)
            await ShutDownAsync(pair.Peer, pair.Service, TcpState.Closing);
        if (wanted.State == TcpState.LastAck)
            await ShutDownAsync(pair.Service, pair.Service, TcpState.LastAck);
        return loss;
    }

    private static Task SendAsync(StreamEnd end, int bytes, Func<bool> andThen)
    {
        int left = bytes;
        return Until.True(() => (left -= end.Send(left)) == 0 && andThen());
    }

    // Until the other end's window is closed: all that was sent is acknowledged, and there is more to send.
    private static Task FillAsync(StreamEnd end) => Until.True(() =>
    {
        end.Send(NarrowBuffer);
        return SocketState.PeerWindow(end.Socket) < SocketState.Info(end.Socket).tcpi_snd_mss
            && SocketState.Unsent(end.Socket) is > NarrowBuffer and int unsent && unsent == SocketState.Unacknowledged(end.Socket);
    });

    private static async Task ShutDownAsync(StreamEnd end, StreamEnd service, TcpState expected)
    {
        end.Socket.Shutdown(SocketShutdown.Send);
        await Until.True(() => SocketState.StateOf(service.Socket) == expected, state: () => SocketState.StateOf(service.Socket).ToString());
    }

    // What the peer may still send.
    private static int WindowOf(ConnectionSnapshot snapshot) => snapshot.Window.RcvWup + (int)snapshot.Window.RcvWnd - snapshot.RcvNxt;

    private static void AssertCaptured(ConnectionCase wanted, ConnectionSnapshot snapshot)
    {
        Assert.Equal(wanted.State, snapshot.State);
        Assert.Equal((wanted.Kind == IPKind.V4Mapped, wanted.Kind == IPKind.IPv6), (snapshot.IsV4Mapped, snapshot.Connection.IsIPv6));
        if (wanted.Window == ZeroWindow.OfService)
            Assert.True(WindowOf(snapshot) < NarrowBuffer, $"{snapshot.Window} RCV.NXT {snapshot.RcvNxt}, {snapshot.Unread.Length} bytes unread, {snapshot.Options.ReceiveBufferBytes}");
        else
            Assert.Equal(wanted.Bytes, snapshot.Unread.Length);
        if (wanted.Window == ZeroWindow.OfPeer)
            Assert.True(snapshot.Window.SndWnd < snapshot.Unsent.Length && snapshot.Sent.Length <= snapshot.Window.SndWnd, $"{snapshot.Window.SndWnd} {snapshot.Sent.Length} {snapshot.Unsent.Length}");
        else if (wanted.State != TcpState.FinWait2)
            Assert.Equal(wanted.Bytes, snapshot.Sent.Length + snapshot.Unsent.Length);
        NegotiatedOptions agreed = snapshot.Negotiated;
        Assert.Equal((wanted.Lacking != Lacking.Timestamps, wanted.Lacking != Lacking.Sack), (agreed.Timestamps, agreed.Sack));
        // A restored socket says that scaling is on, with shift counts of 0: the same on the wire.
        Assert.Equal(wanted.Lacking == Lacking.WindowScaling, (agreed.SndWscale, agreed.RcvWscale) == (0, 0));
    }

    // Who may still send does so; then both sides close, and each reads the other's whole stream and its end.
    private static async Task CompleteAsync(LivePair pair, ConnectionCase wanted)
    {
        const int More = 5000;
        int fromService = wanted.ServiceSends ? More : 0;
        int fromPeer = wanted.PeerSends ? More : 0;
        await Until.True(
            () =>
            {
                fromService -= pair.Service.Send(fromService);
                fromPeer -= pair.Peer.Send(fromPeer);
                pair.Peer.Receive();
                pair.Service.Receive();
                return fromService == 0 && fromPeer == 0 && pair.Peer.Received == pair.Service.Sent && pair.Service.Received == pair.Peer.Sent;
            },
            state: pair.Progress);
        Assert.Equal((pair.Service.SentSum, pair.Peer.SentSum), (pair.Peer.ReceivedSum, pair.Service.ReceivedSum));
        if (wanted.ServiceSends)
            pair.Service.Socket.Shutdown(SocketShutdown.Send);
        if (wanted.PeerSends)
            pair.Peer.Socket.Shutdown(SocketShutdown.Send);
        await Until.True(() => pair.Peer.Receive() + pair.Service.Receive() == 0 && pair.Peer.IsAtEnd && pair.Service.IsAtEnd, state: pair.Progress);
        // Neither is left over: both FINs are acknowledged.
        await Until.True(() => SocketState.StateOf(pair.Service.Socket) == TcpState.Closed && SocketState.StateOf(pair.Peer.Socket) == TcpState.Closed,
            state: () => $"{SocketState.StateOf(pair.Service.Socket)} {SocketState.StateOf(pair.Peer.Socket)}");
    }
}
