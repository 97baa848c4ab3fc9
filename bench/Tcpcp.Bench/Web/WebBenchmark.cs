using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Tcpcp.Lab;
using Tcpcp.Traffic;

namespace Tcpcp.Bench.Web;

/// <summary>
/// What the ASP.NET Core integration costs when nothing moves, beside the same server without it, one after the other in the same run: a request's time by wrk, and the memory of an idle
/// connection. And how long 1,000 idle WebSockets take to another host and back.
/// </summary>
internal sealed class WebBenchmark(string tcpcp, bool json)
{
    private const string ServiceAddress = "10.0.0.100";
    private const int Port = 8080;
    private const int Rounds = 8;
    private const int Seconds = 2;
    private const int BusyConnections = 32;
    private const int IdleConnections = 2000;
    private const int WebSockets = 1000;
    private const int Drains = 3; // there and back

    // Who has sent within the last second is frozen a little later, since its timestamps may be ahead; and a restored connection counts as such.
    private static readonly TimeSpan s_idle = TimeSpan.FromMilliseconds(1200);

    /// <param name="part"><c>requests</c>, <c>memory</c> or <c>drain</c>; null: all.</param>
    public static async Task RunAsync(string tcpcp, string? part, bool json)
    {
        WebBenchmark benchmark = new(tcpcp, json);
        if (part is null or "requests")
            await benchmark.MeasureRequestsAsync();
        if (part is null or "memory")
            await benchmark.MeasureMemoryAsync();
        if (part is null or "drain")
            await benchmark.DrainAsync();
    }

    private async Task MeasureRequestsAsync()
    {
        await using LabNetwork lab = await LabNetwork.CreateAsync();
        Host host = lab.AddHost("web", "10.0.0.2/24");
        await using WebServer with = await WebServer.StartAsync(host, Port, agentSocket: "/nowhere/agent.sock"), without = await WebServer.StartAsync(host, Port + 1, agentSocket: null);
        List<double> ratios = [], baselines = [];
        for (int round = -1; round < Rounds; round++)
        {
            // Each is the first of every second round, since the machine is not the same all the time.
            double first = await (round % 2 == 0 ? with : without).MeasureAsync(BusyConnections, Seconds), second = await (round % 2 == 0 ? without : with).MeasureAsync(BusyConnections, Seconds);
            if (round < 0)
                continue;
            (double rate, double baseline) = round % 2 == 0 ? (first, second) : (second, first);
            baselines.Add(1e6 / baseline);
            ratios.Add(baseline / rate); // of neighbours: what else the machine does concerns both
        }

        Print("time of a request with UseTcpcp (median of the ratios)", Median(ratios) * Median(baselines), "us", "plain Kestrel (median)", Median(baselines), goal: 1 / 0.98);
    }

    private async Task MeasureMemoryAsync()
    {
        await using LabNetwork lab = await LabNetwork.CreateAsync();
        Host host = lab.AddHost("web", "10.0.0.2/24");
        List<double> each = [];
        foreach (string? agentSocket in (string?[])["/nowhere/agent.sock", null])
        {
            await using WebServer server = await WebServer.StartAsync(host, Port, agentSocket);
            await server.ConnectAsync(IdleConnections / 10); // what is needed once is there
            double before = await server.MemoryAsync();
            await server.ConnectAsync(IdleConnections);
            each.Add((await server.MemoryAsync() - before) / IdleConnections);
        }

        Print("memory of an idle connection with UseTcpcp", each[0], "bytes", "plain Kestrel", each[1], goal: 1.05);
    }

    private async Task DrainAsync()
    {
        string directory = Directory.CreateDirectory($"/dev/shm/tcpcp-bench-{Guid.NewGuid():N}").FullName;
        List<AgentProcess> agents = [];
        List<Socket> sockets = [];
        await using LabNetwork lab = await LabNetwork.CreateAsync();
        try
        {
            Host peer = lab.AddHost("peer", "10.0.0.1/24"), home = lab.AddHost("host-a", "10.0.0.2/24"), other = lab.AddHost("host-b", "10.0.0.3/24");
            home.AddOwnAddress(IPAddress.Parse(ServiceAddress));
            await AgentProcess.RunAsync(tcpcp, ["cert", "authority", "--out", directory]);
            agents.Add(await AgentProcess.ConfigureAsync(tcpcp, directory, home, other, ServiceAddress, WebService.Name));
            agents.Add(await AgentProcess.ConfigureAsync(tcpcp, directory, other, home, ServiceAddress, WebService.Name));
            await Task.WhenAll(agents.Select(agent => agent.StartAsync()));
            foreach (AgentProcess agent in agents)
                await agent.ServeAsync("web-application", Port);
            for (int i = 0; i < WebSockets; i++)
                sockets.Add(await OpenAsync(peer));
            List<double> times = [], blackouts = [];
            for (int drain = 0; drain < 2 * Drains; drain++)
            {
                await Task.Delay(s_idle);
                (TimeSpan time, List<double> measured) = await agents[drain % 2].DrainAsync(agents[(drain + 1) % 2].Name, WebService.Name, WebSockets);
                foreach (Socket socket in sockets)
                    await EchoAsync(socket);
                if (drain < 2)
                    continue; // everything runs for the first time
                times.Add(time.TotalMilliseconds);
                blackouts.AddRange(measured);
            }

            double all = Median(times);
            Print(string.Create(CultureInfo.InvariantCulture, $"drain of {WebSockets:N0} idle WebSockets, in all (median)"), all, "ms", "3,000 a second", WebSockets / 3.0, goal: null);
            Print("the same, each", all * 1000 / WebSockets, "us", "3,000 a second", 1e6 / 3000, goal: null);
            Print("the same, blackout of each (p99)", blackouts.Order().ElementAt(blackouts.Count * 99 / 100), "us", "limit", 50_000, goal: 1);
        }
        finally
        {
            foreach (Socket socket in sockets)
                socket.Dispose();
            foreach (AgentProcess agent in agents)
                await agent.DisposeAsync();
            Directory.Delete(directory, recursive: true);
        }
    }

    private static async Task<Socket> OpenAsync(Host peer)
    {
        Socket socket = peer.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true });
        await socket.ConnectAsync(IPAddress.Parse(ServiceAddress), Port);
        await socket.SendAsync("GET /chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"u8.ToArray());
        byte[] buffer = new byte[4096];
        int read = await socket.ReceiveAsync(buffer);
        string answer = Encoding.ASCII.GetString(buffer, 0, read);
        return answer.StartsWith("HTTP/1.1 101", StringComparison.Ordinal) && answer.EndsWith("\r\n\r\n", StringComparison.Ordinal) ? socket : throw new InvalidOperationException(answer);
    }

    // One text message there and back: each lives.
    private static async Task EchoAsync(Socket socket)
    {
        await socket.SendAsync((byte[])[0x81, 0x82, 0, 0, 0, 0, (byte)'o', (byte)'k']);
        byte[] buffer = new byte[4];
        for (int read = 0; read < buffer.Length;)
        {
            int count = await socket.ReceiveAsync(buffer.AsMemory(read));
            read += count > 0 ? count : throw new InvalidOperationException("A WebSocket was closed.");
        }

        if (!buffer.AsSpan().SequenceEqual((ReadOnlySpan<byte>)[0x81, 2, (byte)'o', (byte)'k']))
            throw new InvalidOperationException($"A WebSocket got {Convert.ToHexString(buffer)} back.");
    }

    private void Print(string name, double value, string unit, string baseline, double baselineValue, double? goal) =>
        new BenchmarkResult(name, value, unit, baseline, baselineValue, goal).Print(json);

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}
