using System.Net;
using System.Net.Sockets;
using Tcpcp.Lab.Capture;
using Tcpcp.Linux.Namespaces;
using Tcpcp.Linux.Netlink;
using Tcpcp.Linux.Packets;
using Tcpcp.Linux.Processes;

namespace Tcpcp.Lab;

/// <summary>A host of a lab: its own interfaces (<c>lo</c>, <c>eth0</c>), addresses, routes, rules, and its own <c>/sys</c> and <c>/run</c>.</summary>
internal sealed class Host
{
    /// <summary>The interface on the switch.</summary>
    public const string InterfaceName = "eth0";

    private const string OrdinaryUserSendBuffers = "4096 2097152 2097152";

    private static readonly TimeSpan s_addressLimit = TimeSpan.FromSeconds(10);

    private readonly LabNetwork _lab;
    private readonly LabSwitch _switch;
    private readonly string _port;
    private readonly List<PacketCapture> _captures = [];

    private Host(LabNetwork lab, string name, IReadOnlyList<InterfaceAddress> addresses, LabSwitch @switch, int mtu)
    {
        _lab = lab;
        _switch = @switch;
        Name = name;
        Prefixes = addresses;
        Addresses = [.. addresses.Select(address => address.Address)];
        Thread = NamespaceThread.Start($"tcpcp {name}");
        Network = Thread.Run(RouteNetlink.Open);
        try
        {
            _port = @switch.Plug(Thread.NetworkNamespace, mtu);
            Configure(addresses);
            @switch.WaitUntilForwarding(_port);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public string Name { get; }

    /// <summary>The addresses that it was made with.</summary>
    public IReadOnlyList<IPAddress> Addresses { get; }

    /// <summary>The same with their prefix lengths.</summary>
    internal IReadOnlyList<InterfaceAddress> Prefixes { get; }

    /// <summary>The first IPv4 address that it was made with.</summary>
    public IPAddress IPv4 => Addresses.First(address => address.AddressFamily == AddressFamily.InterNetwork);

    /// <summary>The first IPv6 address that it was made with.</summary>
    public IPAddress IPv6 => Addresses.First(address => address.AddressFamily == AddressFamily.InterNetworkV6);

    /// <summary>The thread that is in the host's namespaces.</summary>
    public NamespaceThread Thread { get; }

    /// <summary>The host's links, addresses, routes and neighbours.</summary>
    public RouteNetlink Network { get; }

    internal static Host Create(LabNetwork lab, string name, IReadOnlyList<InterfaceAddress> addresses, LabSwitch @switch, int mtu) =>
        new(lab, name, addresses, @switch, mtu);

    /// <inheritdoc cref="NamespaceThread.Run{T}(Func{T})"/>
    public T Run<T>(Func<T> work) => Thread.Run(work);

    /// <inheritdoc cref="NamespaceThread.Run{T}(Func{T})"/>
    public void Run(Action work) => Thread.Run(work);

    /// <inheritdoc cref="NamespaceThread.RunAsync{T}(Func{T})"/>
    public Task<T> RunAsync<T>(Func<T> work) => Thread.RunAsync(work);

    /// <summary>Starts a program on the host.</summary>
    /// <param name="program">Path, or a name that is looked up in PATH.</param>
    public ChildProcess Start(string program, IReadOnlyList<string> arguments, ChildOptions? options = null) =>
        ChildProcess.Start(program, arguments, options, Thread, _lab.Processes);

    /// <summary>Writes every frame that eth0 sends or receives from now on into a pcapng file.</summary>
    public PacketCapture StartCapture(string path)
    {
        PacketCapture capture = PacketCapture.Start(Thread.Run(() => PacketSocket.Open(InterfaceName)), InterfaceName, path);
        _captures.Add(capture);
        return capture;
    }

    /// <summary>Writes every frame of connections between two addresses of this host, each once.</summary>
    public PacketCapture StartLoopbackCapture(string path)
    {
        Thread.Run(() => ReceiveCpu.UseOne("lo"));
        PacketCapture capture = PacketCapture.Start(Thread.Run(() => PacketSocket.Open("lo", ignoreOutgoing: true)), "lo", path);
        _captures.Add(capture);
        return capture;
    }

    /// <summary>
    /// Writes what goes to the host and comes from it at the other end of its path (<see cref="MoveFarAway"/>): what others send it in the order in which it left them, and
    /// what it sends as it arrived there. So whatever the path does wrong, what the others say must not contradict that.
    /// </summary>
    public PacketCapture StartCaptureBeyondPath(string path)
    {
        PacketCapture capture = PacketCapture.Start(_switch.OpenNearEnd(_port, out string interfaceName), interfaceName, path);
        _captures.Add(capture);
        return capture;
    }

    /// <summary>Loses some of the host's IP packets at random (IPv6 neighbour discovery and ARP excepted), until the next call.</summary>
    /// <param name="percent">0 to 100, in steps of 0.01; 0 loses none.</param>
    public void SetLoss(double percent, LossDirection direction) => _switch.Run(() => PacketLoss.Set(_port, percent, direction));

    /// <summary>From now on the other hosts are at the other end of that path.</summary>
    public void MoveFarAway(LongPath path) => _switch.Lengthen(_port, path, Network.Links.Get(InterfaceName).Mtu);

    /// <summary>Adds an address of its own (/32 or /128) to eth0; when this returns the host takes packets for it.</summary>
    public void AddOwnAddress(IPAddress address)
    {
        Network.Addresses.Add(Network.Links.Get(InterfaceName).Index, InterfaceAddress.Single(address), forAnswersOnly: true);
        AwaitLocal(address);
    }

    /// <summary>Adds an address to lo that the host takes packets for and says nothing of to its neighbours: several hosts may have it.</summary>
    public void AddSilentAddress(IPAddress address)
    {
        Run(() =>
        {
            Sysctl.Write("net/ipv4/conf/all/arp_ignore", "1");
            Sysctl.Write("net/ipv4/conf/all/arp_announce", "2");
        });
        Network.Addresses.Add(Network.Links.Get("lo").Index, InterfaceAddress.Single(address), forAnswersOnly: true);
        AwaitLocal(address);
    }

    /// <summary>Tells the neighbours that an address is here.</summary>
    public void Announce(IPAddress address)
    {
        LinkInfo eth0 = Network.Links.Get(InterfaceName);
        using AddressAnnouncement announcement = Run(() => AddressAnnouncement.Open(eth0.Index, eth0.HardwareAddress));
        announcement.Announce(address);
    }

    internal async Task EndCapturesAsync()
    {
        foreach (PacketCapture capture in _captures)
            await capture.DisposeAsync();
    }

    internal void Dispose()
    {
        Network.Dispose();
        Thread.Dispose();
    }

    private void Configure(IReadOnlyList<InterfaceAddress> addresses)
    {
        int eth0 = Network.Links.Get(InterfaceName).Index;
        Thread.Run(() =>
        {
            if (Directory.Exists($"/proc/sys/net/ipv6/conf/{InterfaceName}")) // there is none below 1280 bytes of MTU
                Sysctl.Write($"net/ipv6/conf/{InterfaceName}/accept_dad", "0"); // its link-local address is usable at once
            // Who may not bind the receive queue may not raise a socket's buffers either (SO_SNDBUFFORCE): then they are large from the start, so that
            // what was not sent fits when a connection is restored.
            if (!ReceiveCpu.UseOne(InterfaceName))
                Sysctl.Write("net/ipv4/tcp_wmem", OrdinaryUserSendBuffers);
        });
        Network.Links.SetUp("lo");
        Network.Links.SetUp(InterfaceName);
        foreach (InterfaceAddress address in addresses)
            Network.Addresses.Add(eth0, address);
        foreach (InterfaceAddress address in addresses)
            AwaitLocal(address.Address);
    }

    // The kernel makes the local route of a new IPv6 address a little later, and until then drops what comes for it.
    private void AwaitLocal(IPAddress address)
    {
        if (!SpinWait.SpinUntil(() => Network.Routes.IsLocal(address), s_addressLimit))
            throw new TimeoutException($"{Name} does not take packets for {address} after {s_addressLimit.TotalSeconds} s.");
    }
}
