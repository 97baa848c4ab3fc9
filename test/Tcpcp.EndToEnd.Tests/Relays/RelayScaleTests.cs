using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text.Json;
using Tcpcp.EndToEnd.Tests.Agents;

namespace Tcpcp.EndToEnd.Tests.Relays;

/// <summary>
/// A relay with many sessions is drained while new ones arrive without pause. TCPCP_TEST_RELAY_SESSIONS says how many, a tenth of which arrive each second besides:
/// 2000 on a machine that does nothing else.
/// </summary>
[Collection(HeavyTests.Name)]
public sealed class RelayScaleTests(LabCertificates certificates)
{
    private const int MessageBytes = 64;

    private static readonly int s_sessions = int.Parse(Environment.GetEnvironmentVariable("TCPCP_TEST_RELAY_SESSIONS") ?? "150", CultureInfo.InvariantCulture);
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(120);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task All_sessions_go_while_new_ones_arrive_and_none_is_reset_or_refused(bool takesAddresses)
    {
        await using RelayLab lab = await RelayLab.StartWithEchoAsync(certificates);
        using CancellationTokenSource stop = new();
        Socket[] sockets = new Socket[s_sessions];
        for (int i = 0; i < sockets.Length; i++)
            sockets[i] = await ConnectAsync(lab);
        Task<long>[] talks = [.. sockets.Select(socket => TalkAsync(socket, s_pause, stop.Token))];
        Task<int> arrivals = ArriveAsync(lab, TimeSpan.FromSeconds(10.0 / s_sessions), stop.Token);

        long began = Stopwatch.GetTimestamp();
        IReadOnlyList<JsonElement> reports = await lab.DrainAsync(lab.A, takesAddresses);
        TimeSpan took = Stopwatch.GetElapsedTime(began);
        Assert.InRange(reports.Count, s_sessions, int.MaxValue);
        if (takesAddresses)
            Assert.InRange(reports.Count, s_sessions, s_sessions + 1 + (s_sessions / 10)); // the address, and who came in the second before it moved
        await Eventually.True(async () => await lab.B.SessionsAsync(RelayLab.Listener) >= s_sessions);
        await stop.CancelAsync();
        int arrived = await arrivals;
        Assert.All(await Task.WhenAll(talks), turns => Assert.InRange(turns, 1, long.MaxValue));
        Assert.InRange(arrived, 1, int.MaxValue);
        await lab.Agents.AssertNothingIsLeftAsync();
        IReadOnlyList<Check.ConnectionReport> seen = await lab.Agents.JudgeAsync();
        Assert.Equal(s_sessions + arrived, seen.Count);
        AgentLab.AssertClean(seen);
        AgentLab.AssertClean(await lab.JudgeServerAsync());
        TestContext.Current.TestOutputHelper!.WriteLine($"{reports.Count} sessions passed in {took.TotalSeconds:f1} s, {arrived} arrived meanwhile");
    }

    private static async Task<Socket> ConnectAsync(RelayLab lab)
    {
        Socket socket = lab.Agents.Peer.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
        await socket.ConnectAsync(lab.Service).WaitAsync(s_limit);
        return socket;
    }

    // Says numbers and hears them back until it is stopped; then both sides close.
    private static async Task<long> TalkAsync(Socket socket, TimeSpan pause, CancellationToken stop)
    {
        string name = $"{socket.LocalEndPoint}";
        try
        {
            return await TalkOfAsync(socket, pause, stop);
        }
        catch (Exception e) when (e is SocketException or TimeoutException)
        {
            throw new IOException($"The session of {name}: {e.Message}", e);
        }
    }

    private static async Task<long> TalkOfAsync(Socket socket, TimeSpan pause, CancellationToken stop)
    {
        byte[] said = new byte[MessageBytes], heard = new byte[MessageBytes];
        long turn = 0;
        do
        {
            BinaryPrimitives.WriteInt64LittleEndian(said, ++turn);
            await socket.SendAsync(said, CancellationToken.None);
            for (int length = 0; length < heard.Length;)
            {
                int count = await socket.ReceiveAsync(heard.AsMemory(length), CancellationToken.None).AsTask().WaitAsync(s_limit, CancellationToken.None);
                Assert.NotEqual(0, count);
                length += count;
            }

            Assert.Equal(said, heard);
            await Task.Delay(pause, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        while (!stop.IsCancellationRequested);
        socket.Shutdown(SocketShutdown.Send);
        Assert.Equal(0, await socket.ReceiveAsync(heard.AsMemory(), CancellationToken.None).AsTask().WaitAsync(s_limit, CancellationToken.None));
        socket.Dispose();
        return turn;
    }

    private static async Task<int> ArriveAsync(RelayLab lab, TimeSpan interval, CancellationToken stop)
    {
        using CancellationTokenSource once = new();
        await once.CancelAsync();
        List<Task<long>> talks = [];
        while (!stop.IsCancellationRequested)
        {
            talks.Add(TalkAsync(await ConnectAsync(lab), TimeSpan.Zero, once.Token));
            await Task.Delay(interval, CancellationToken.None);
        }

        await Task.WhenAll(talks);
        return talks.Count;
    }
}
