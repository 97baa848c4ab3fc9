using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Tcpcp.Lab;
using Tcpcp.Linux.Processes;

namespace Tcpcp.Bench.Relays;

/// <summary>
/// <c>tcpcp relay</c> beside HAProxy, and beside no relay at all: client, relays and server are hosts of a lab on this machine, each figure is taken from one after the other in turns, and the
/// medians count. Both relays have as many threads as there are processors, and no limits that matter; HAProxy splices. A C program that does the least says what splice(2) is worth.
/// </summary>
internal static class RelayBenchmark
{
    private const int Rounds = 5;
    private const int BulkSessions = 64;
    private const int RequestSessions = 100;
    private const int IdleSessions = 2000;
    private const int BulkPort = 7001; // of HAProxy; each relay listens for both services
    private const int EchoPort = 7002;
    private const int OwnPorts = 100; // so much further are those of tcpcp
    private const int CopyingPort = 7201; // of the C program
    private const int SplicingPort = 7202;

    public static async Task RunAsync(string tcpcp, string baseline, bool json)
    {
        await using LabNetwork lab = await LabNetwork.CreateAsync();
        (Host client, Host relay, Host server) = (lab.AddHost("client", "10.0.0.1/24"), lab.AddHost("relay", "10.0.0.2/24"), lab.AddHost("server", "10.0.0.3/24"));
        foreach (Host host in lab.Hosts)
            host.Run(Prepare);
        string directory = Directory.CreateTempSubdirectory("tcpcp-bench-").FullName;
        using RelayedServer servers = new(server);
        await using ChildProcess haproxy = relay.Start("setpriv", ["--pdeathsig", "KILL", "haproxy", "-db", "-f", WriteHaproxy(directory, relay, server)]);
        await using ChildProcess own = relay.Start("setpriv", ["--pdeathsig", "KILL", tcpcp, "relay", "--config", WriteOwn(directory, relay, server)]);
        await using ChildProcess copying = Least(CopyingPort, "copy"), splicing = Least(SplicingPort, "splice");
        try
        {
            RelayTraffic direct = new(client, new(server.IPv4, RelayedServer.BulkPort), new(server.IPv4, RelayedServer.EchoPort));
            RelayTraffic byHaproxy = new(client, new(relay.IPv4, BulkPort), new(relay.IPv4, EchoPort));
            RelayTraffic byOwn = new(client, new(relay.IPv4, BulkPort + OwnPorts), new(relay.IPv4, EchoPort + OwnPorts));
            foreach (RelayTraffic one in (RelayTraffic[])[byHaproxy, byOwn])
                UntilOpen(one);
            Figures[] figures = [.. ((RelayTraffic[])[direct, byHaproxy, byOwn]).Select(traffic => new Figures(traffic))];
            for (int round = 0; round < Rounds; round++)
            {
                foreach (Figures one in figures)
                    one.Measure();
            }

            Print(figures, json);
            PrintMemory(byHaproxy, haproxy, byOwn, own, json);
            PrintSplice(direct with { Bulk = new(relay.IPv4, CopyingPort) }, direct with { Bulk = new(relay.IPv4, SplicingPort) }, json);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }

        ChildProcess Least(int port, string way) => relay.Start("setpriv",
            ["--pdeathsig", "KILL", baseline, $"{relay.IPv4}", $"{port}", $"{server.IPv4}", $"{RelayedServer.BulkPort}", way]);
    }

    // The lab's one CPU for what arrives keeps captures in order; here there is none. Ports of closed sessions are used again.
    private static void Prepare()
    {
        File.WriteAllText($"/sys/class/net/{Host.InterfaceName}/queues/rx-0/rps_cpus", "0");
        Sysctl.Write("net/ipv4/tcp_tw_reuse", "1");
        Sysctl.Write("net/ipv4/ip_local_port_range", "10000 65000");
    }

    private static string WriteHaproxy(string directory, Host relay, Host server)
    {
        string path = Path.Combine(directory, "haproxy.cfg");
        File.WriteAllText(path, $"""
            global
                nbthread {Environment.ProcessorCount}
                maxconn 4000
            defaults
                mode tcp
                option splice-auto
                option tcp-smart-accept
                option tcp-smart-connect
                timeout connect 5s
                timeout client 300s
                timeout server 300s
            listen bulk
                bind {relay.IPv4}:{BulkPort}
                server s1 {server.IPv4}:{RelayedServer.BulkPort}
            listen echo
                bind {relay.IPv4}:{EchoPort}
                server s1 {server.IPv4}:{RelayedServer.EchoPort}

            """);
        return path;
    }

    private static string WriteOwn(string directory, Host relay, Host server)
    {
        string path = Path.Combine(directory, "relay.json");
        JsonObject listeners = [], pools = [];
        foreach ((string name, int port, int target) in (ReadOnlySpan<(string, int, int)>)[("bulk", BulkPort, RelayedServer.BulkPort), ("echo", EchoPort, RelayedServer.EchoPort)])
        {
            listeners[name] = new JsonObject { ["listen"] = new JsonArray($"{relay.IPv4}:{port + OwnPorts}"), ["pool"] = name };
            pools[name] = new JsonObject { ["servers"] = new JsonObject { ["s1"] = new JsonObject { ["address"] = $"{server.IPv4}:{target}" } } };
        }

        File.WriteAllText(path, new JsonObject
        {
            ["agent"] = "none",
            ["log-sessions"] = false, // HAProxy logs nowhere either
            ["control"] = new JsonObject { ["socket"] = Path.Combine(directory, "relay.sock") },
            ["listeners"] = listeners,
            ["pools"] = pools,
        }.ToJsonString());
        return path;
    }

    private static void UntilOpen(RelayTraffic traffic)
    {
        for (long until = Environment.TickCount64 + 10_000; ;)
        {
            try
            {
                traffic.OpenIdle(1)[0].Dispose();
                return;
            }
            catch (SocketException) when (Environment.TickCount64 < until)
            {
                Thread.Sleep(50);
            }
        }
    }

    private static void Print(Figures[] figures, bool json)
    {
        (Figures direct, Figures haproxy, Figures own) = (figures[0], figures[1], figures[2]);
        foreach ((string name, Func<Figures, double> take, string unit, double goal, bool atLeast) in (ReadOnlySpan<(string, Func<Figures, double>, string, double, bool)>)
            [
                ("throughput of one session", one => one.Single, "Gbit/s", 0.9, true),
                ($"throughput of {BulkSessions} sessions", one => one.Many, "Gbit/s", 1, true),
                ($"round trip of a request, {RequestSessions} sessions, p50", one => one.TripMedian, "us", 1.1, false),
                ($"round trip of a request, {RequestSessions} sessions, p99", one => one.TripP99, "us", 1.2, false),
                ("new sessions a second", one => one.ConnectRate, "/s", 0, true),
            ])
        {
            if (!json)
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name} without a relay: {take(direct):F1} {unit}"));
            new BenchmarkResult(name, take(own), unit, "HAProxy", take(haproxy), goal == 0 ? null : goal) { AtLeast = atLeast }.Print(json);
        }
    }

    private static void PrintSplice(RelayTraffic copying, RelayTraffic splicing, bool json)
    {
        foreach (int sessions in (int[])[1, BulkSessions])
        {
            List<double> copied = [], spliced = [];
            for (int round = 0; round < Rounds; round++)
            {
                copied.Add(copying.Throughput(sessions));
                spliced.Add(splicing.Throughput(sessions));
            }

            new BenchmarkResult($"throughput of {sessions} by splice(2), in C", Median(spliced), "Gbit/s", "by read and write", Median(copied), Goal: null).Print(json);
        }
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);

    // Each has worked before: what it keeps for its own good is there already.
    private static void PrintMemory(RelayTraffic byHaproxy, ChildProcess haproxy, RelayTraffic byOwn, ChildProcess own, bool json)
    {
        double theirs = Growth(byHaproxy, haproxy.Pid), ours = Growth(byOwn, own.Pid);
        new BenchmarkResult($"resident memory for an idle session, over {IdleSessions}", ours, "KiB", "HAProxy", theirs, 1).Print(json);
    }

    private static double Growth(RelayTraffic traffic, int process)
    {
        long before = ResidentKibibytes(process);
        Socket[] sockets = traffic.OpenIdle(IdleSessions);
        double growth = (ResidentKibibytes(process) - before) / (double)IdleSessions;
        foreach (Socket socket in sockets)
            socket.Dispose();
        return growth;
    }

    private static long ResidentKibibytes(int process) => long.Parse(
        File.ReadLines($"/proc/{process}/status").First(line => line.StartsWith("VmRSS:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);

    private sealed class Figures(RelayTraffic traffic)
    {
        private readonly List<double> _single = [];
        private readonly List<double> _many = [];
        private readonly List<double> _tripMedians = [];
        private readonly List<double> _tripP99s = [];
        private readonly List<double> _connects = [];

        public double Single => Median(_single);

        public double Many => Median(_many);

        public double TripMedian => Median(_tripMedians);

        public double TripP99 => Median(_tripP99s);

        public double ConnectRate => Median(_connects);

        public void Measure()
        {
            _single.Add(traffic.Throughput(1));
            _many.Add(traffic.Throughput(BulkSessions));
            double[] trips = traffic.RoundTrips(RequestSessions);
            _tripMedians.Add(trips[trips.Length / 2]);
            _tripP99s.Add(trips[trips.Length * 99 / 100]);
            _connects.Add(traffic.Connects());
        }
    }
}
