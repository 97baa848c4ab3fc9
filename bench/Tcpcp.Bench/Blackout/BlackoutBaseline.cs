using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Tcpcp.Gate;
using Tcpcp.Lab;
using Tcpcp.Linux.Netlink;
using Tcpcp.Linux.Switching;
using Tcpcp.Traffic;

namespace Tcpcp.Bench.Blackout;

/// <summary>The same flow, passed by a C program (bench/blackout/blackout.c) with the same steps: on hosts of their own, in the same run.</summary>
internal sealed class BlackoutBaseline : IAsyncDisposable
{
    private const string ServiceAddress = "10.0.0.100";
    private const int ServicePort = 7000;
    private const string HoldDevice = "tcpcphold";

    private readonly LabNetwork _lab;
    private readonly Host _peer;
    private readonly List<BaselineHost> _hosts = [];
    private int _passes;

    private BlackoutBaseline(LabNetwork lab) => (_lab, _peer) = (lab, lab.AddHost("peer", "10.0.0.1/24"));

    /// <summary>Starts the program on two hosts.</summary>
    /// <param name="directory">For its journals.</param>
    public static async Task<BlackoutBaseline> StartAsync(string program, string directory)
    {
        BlackoutBaseline baseline = new(await LabNetwork.CreateAsync());
        try
        {
            Host home = baseline._lab.AddHost("host-a", "10.0.0.2/24"), other = baseline._lab.AddHost("host-b", "10.0.0.3/24");
            home.AddOwnAddress(IPAddress.Parse(ServiceAddress));
            other.Run(() =>
            {
                // It has the address too, but the network must not know.
                File.WriteAllText("/proc/sys/net/ipv4/conf/all/arp_ignore", "1");
                File.WriteAllText("/proc/sys/net/ipv4/conf/all/arp_announce", "2");
            });
            other.Run(() => other.Network.Addresses.Add(other.Network.Links.Get("lo").Index, InterfaceAddress.Single(IPAddress.Parse(ServiceAddress))));
            baseline._hosts.Add(await BaselineHost.StartAsync(home, program, "listen", home.IPv4, Path.Combine(directory, "c-a"), other.IPv4));
            baseline._hosts.Add(await BaselineHost.StartAsync(other, program, "connect", home.IPv4, Path.Combine(directory, "c-b"), null));
            foreach (BaselineHost host in baseline._hosts)
                await host.ReadUntilAsync("ready");
            return baseline;
        }
        catch
        {
            await baseline.DisposeAsync();
            throw;
        }
    }

    /// <summary>The peer's end.</summary>
    public Socket Connect() => _peer.Run(() =>
    {
        Socket connected = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        connected.Connect(new IPEndPoint(IPAddress.Parse(ServiceAddress), ServicePort));
        return connected;
    });

    /// <summary>Passes the flow to the host that does not have it.</summary>
    public async Task<PassTimeline> PassAsync()
    {
        BaselineHost from = _hosts[_passes % 2], to = _hosts[(_passes + 1) % 2];
        string number = (++_passes).ToString(CultureInfo.InvariantCulture);
        await from.WriteAsync(number);
        string last = PassTimeline.Steps[^1];
        List<string> lines = [.. await to.ReadUntilAsync(last, isStep: true), .. await from.ReadUntilAsync("sent", isStep: true)];
        return PassTimeline.Read(lines).Single();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (BaselineHost host in _hosts)
            await host.DisposeAsync();
        await _lab.DisposeAsync();
    }

    private sealed class BaselineHost(Host host, System.Diagnostics.Process process) : IAsyncDisposable
    {
        private readonly List<IDisposable> _setUp = [];

        public static async Task<BaselineHost> StartAsync(Host host, string program, string role, IPAddress link, string journal, IPAddress? forwardTo)
        {
            string bytesPerSecond = BulkApplication.DefaultBytesPerSecond.ToString(CultureInfo.InvariantCulture);
            System.Diagnostics.Process process = host.Run(() => System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo(
                program, [link.ToString(), role, ServiceAddress, ServicePort.ToString(CultureInfo.InvariantCulture), journal, bytesPerSecond])
            {
                UseShellExecute = false,
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
            })!);
            BaselineHost started = new(host, process);
            try
            {
                await started.ReadUntilAsync("tap");
                await started.WriteAsync(host.Run(() => started.SetUp(forwardTo)));
                if (role == "listen")
                    await started.ReadUntilAsync("listening");
                return started;
            }
            catch
            {
                await started.DisposeAsync();
                throw;
            }
        }

        /// <summary>Everything up to a word of its own on a line, or up to a step of a pass.</summary>
        public async Task<List<string>> ReadUntilAsync(string word, bool isStep = false)
        {
            string end = isStep ? $"\"action\":\"{word}\"" : word;
            List<string> lines = [];
            do
                lines.Add(await process.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException("The C program failed; it has said why."));
            while (!(isStep ? lines[^1].Contains(end, StringComparison.OrdinalIgnoreCase) : lines[^1] == end));
            return lines;
        }

        public async Task WriteAsync(string line)
        {
            await process.StandardInput.WriteLineAsync(line);
            await process.StandardInput.FlushAsync();
        }

        public async ValueTask DisposeAsync()
        {
            process.StandardInput.Close(); // its end
            await process.WaitForExitAsync();
            process.Dispose();
            host.Run(() => _setUp.ForEach(one => one.Dispose()));
        }

        // What the program is given: its gate's table, the interface that holds, the switches.
        private string SetUp(IPAddress? forwardTo)
        {
            LinkInfo hold = host.Network.Links.Get(HoldDevice), own = host.Network.Links.Get(Host.InterfaceName);
            File.WriteAllText($"/proc/sys/net/ipv4/conf/{HoldDevice}/rp_filter", "2");
            host.Network.Addresses.Add(hold.Index, InterfaceAddress.Single(new IPAddress([192, 0, 0, 8])));
            host.Network.Links.SetUp(HoldDevice);
            _setUp.Add(ConnectionGate.Open());
            if (forwardTo is not null)
                _setUp.Add(PacketSwitch.Open(SwitchPlace.Forward, [Host.InterfaceName], out _, SwitchChoice.Bpf));
            _setUp.Add(PacketSwitch.Open(SwitchPlace.Hold, [Host.InterfaceName], out _, SwitchChoice.Bpf));
            string forwardMap = forwardTo is null ? "-" : new PinnedSwitch(SwitchPlace.Forward).Map;
            return string.Create(CultureInfo.InvariantCulture,
                $"{new PinnedSwitch(SwitchPlace.Hold).Map} {hold.Index} {forwardMap} {own.Index} {forwardTo ?? IPAddress.Any}");
        }
    }
}
