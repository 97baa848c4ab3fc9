using System.Net;
using System.Net.Sockets;
using Tcpcp.Linux.Bpf;
using Tcpcp.Linux.Congestion;
using Tcpcp.Linux.Tcp;

namespace Tcpcp.Linux.Tests.Congestion;

/// <summary>What is pinned for the cgroup of this process, on hosts with a BPF file system of their own.</summary>
public sealed class CongestionKeepTests
{
    private const ulong Rate = 50_000_000;
    private static readonly CongestionSeed s_seed = new(40, Rate, ulong.MaxValue);

    [Fact]
    public void What_is_pinned_outlives_its_process_and_goes_when_nobody_needs_it()
    {
        using LoopbackHost host = new();
        host.Run(() =>
        {
            CongestionKeep.Open().Dispose(); // as the end of a process does
            PinnedKeep pinned = Assert.Single(CongestionKeep.FindPinned());
            Assert.Equal((CgroupDirectory.OfThisThread().Number, 0), (pinned.Cgroup, pinned.Connections));
            Assert.Equal(0, CongestionKeep.RemoveUnused());
            Assert.Empty(CongestionKeep.FindPinned());
            return true;
        });
    }

    [Fact]
    public void It_stays_until_it_has_ended_the_limits_of_pacing_rates()
    {
        using LoopbackHost host = new();
        using Socket listener = host.Listen(IPAddress.Loopback);
        using Socket client = host.MakeSocket(AddressFamily.InterNetwork);
        host.Run(() =>
        {
            using CongestionKeep keep = CongestionKeep.Open();
            ulong cookie = keep.Announce(client.SafeHandle, s_seed);
            client.Connect(listener.LocalEndPoint!);
            return keep.TryBegin(client.SafeHandle, cookie, s_seed) ? true : throw new InvalidOperationException("It has not got the window.");
        });
        Assert.Equal(1, host.Run(() => Assert.Single(CongestionKeep.FindPinned()).Connections));
        Assert.Equal(1, host.Run(CongestionKeep.RemoveUnused));
        Assert.Single(host.Run(CongestionKeep.FindPinned));

        using Socket server = listener.Accept();
        byte[] piece = new byte[1000];
        for (int i = 0; i < 100 && MaxRate(client) == Rate; i++) // each its own round trip
        {
            client.Send(piece);
            for (int received = 0; received < piece.Length;)
                received += server.Receive(piece);
            server.Send(piece); // with the acknowledgement
            for (int received = 0; received < piece.Length;)
                received += client.Receive(piece);
        }

        Assert.Equal(ulong.MaxValue, MaxRate(client));
        Assert.Equal(0, host.Run(CongestionKeep.RemoveUnused));
        Assert.Empty(host.Run(CongestionKeep.FindPinned));
    }

    [Fact]
    public void With_the_end_of_its_connection_nothing_is_limited_any_more()
    {
        using LoopbackHost host = new();
        using Socket listener = host.Listen(IPAddress.Loopback);
        using Socket client = host.MakeSocket(AddressFamily.InterNetwork);
        host.Run(() =>
        {
            using CongestionKeep keep = CongestionKeep.Open();
            ulong cookie = keep.Announce(client.SafeHandle, s_seed);
            client.Connect(listener.LocalEndPoint!);
            return keep.TryBegin(client.SafeHandle, cookie, s_seed);
        });
        using Socket server = listener.Accept();
        Assert.Equal(1, host.Run(CongestionKeep.RemoveUnused));
        server.Close(); // first: the other end keeps no TIME_WAIT
        client.Receive(new byte[1]);
        client.Close();
        Assert.True(SpinWait.SpinUntil(() => host.Run(CongestionKeep.RemoveUnused) == 0, TimeSpan.FromSeconds(10)));
        Assert.Empty(host.Run(CongestionKeep.FindPinned));
    }

    private static ulong MaxRate(Socket socket)
    {
        SocketOption.Get(socket.SafeHandle, SocketLevel.SOL_SOCKET, SocketLevel.SO_MAX_PACING_RATE, out ulong rate);
        return rate;
    }
}
