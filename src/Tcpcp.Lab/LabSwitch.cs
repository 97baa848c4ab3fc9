using System.Globalization;
using Tcpcp.Linux.Devices;
using Tcpcp.Linux.Namespaces;
using Tcpcp.Linux.Netlink;
using Tcpcp.Linux.Packets;

namespace Tcpcp.Lab;

/// <summary>The switch between the hosts: a bridge in a namespace of its own, which sends nothing itself.</summary>
internal sealed class LabSwitch : IDisposable
{
    private const string Bridge = "switch";
    private static readonly TimeSpan s_portLimit = TimeSpan.FromSeconds(10);

    private readonly NamespaceThread _thread;
    private readonly RouteNetlink _network;
    private readonly List<PathForwarder> _paths = [];
    private readonly Dictionary<string, string> _nearEnds = new(StringComparer.Ordinal);
    private int _ports;

    private LabSwitch(NamespaceThread thread)
    {
        _thread = thread;
        _network = thread.Run(RouteNetlink.Open);
    }

    public static LabSwitch Create(int mtu)
    {
        LabSwitch created = new(NamespaceThread.Start("tcpcp switch"));
        try
        {
            created._thread.Run(() =>
            {
                Sysctl.Write("net/ipv6/conf/all/disable_ipv6", "1"); // a switch has no address and asks for none
                Sysctl.Write("net/ipv6/conf/default/disable_ipv6", "1");
                created._network.Links.CreateBridge(Bridge, mtu);
                File.WriteAllText($"/sys/class/net/{Bridge}/bridge/multicast_snooping", "0"); // neighbour discovery reaches every port
                created._network.Links.SetUp(Bridge);
            });
            return created;
        }
        catch
        {
            created.Dispose();
            throw;
        }
    }

    /// <summary>Makes a cable whose far end is <c>eth0</c> of the host.</summary>
    /// <returns>The name of the port.</returns>
    public string Plug(NetworkNamespace host, int mtu)
    {
        string port = string.Create(CultureInfo.InvariantCulture, $"port{++_ports}");
        _network.Links.CreateVeth(new VethEnd(port), new VethEnd(Host.InterfaceName, host), mtu);
        _network.Links.SetMaster(port, Bridge);
        _thread.Run(() => ReceiveCpu.UseOne(port));
        _network.Links.SetUp(port);
        return port;
    }

    /// <summary>Puts a path between a port and the switch: the port is on a switch of its own then, at the far end.</summary>
    public void Lengthen(string port, LongPath path, int mtu)
    {
        string far = string.Create(CultureInfo.InvariantCulture, $"far{_paths.Count + 1}");
        (string nearTap, string farTap) = ($"{far}-near", $"{far}-tap");
        _thread.Run(() =>
        {
            _network.Links.CreateBridge(far, mtu);
            File.WriteAllText($"/sys/class/net/{far}/bridge/multicast_snooping", "0");
            _paths.Add(new PathForwarder(OpenTap(nearTap, Bridge, mtu), OpenTap(farTap, far, mtu), path));
            _network.Links.SetMaster(port, far);
            _network.Links.SetUp(far);
        });
        WaitUntilForwarding(port);
        WaitUntilForwarding(nearTap);
        WaitUntilForwarding(farTap);
        _nearEnds[port] = nearTap;
    }

    /// <summary>Sees the frames of a port whose path was lengthened, at the end of the path that is here.</summary>
    public PacketSocket OpenNearEnd(string port, out string interfaceName)
    {
        string name = interfaceName = _nearEnds[port];
        return _thread.Run(() => PacketSocket.Open(name));
    }

    private TapDevice OpenTap(string name, string bridge, int mtu)
    {
        TapDevice tap = TapDevice.Create(name);
        _network.Links.SetMtu(name, mtu);
        _network.Links.SetMaster(name, bridge);
        _network.Links.SetUp(name);
        return tap;
    }

    /// <summary>Waits until frames pass the port; its other end must be up.</summary>
    public void WaitUntilForwarding(string port)
    {
        const string Forwarding = "3"; // BR_STATE_FORWARDING, linux/if_bridge.h
        DateTime limit = DateTime.UtcNow + s_portLimit;
        while (_thread.Run(() => File.ReadAllText($"/sys/class/net/{port}/brport/state").Trim()) != Forwarding)
        {
            if (DateTime.UtcNow > limit)
                throw new TimeoutException($"The switch's {port} does not forward after {s_portLimit.TotalSeconds} s.");
            Thread.Sleep(1);
        }
    }

    /// <summary>Runs a delegate on the switch.</summary>
    public void Run(Action work) => _thread.Run(work);

    /// <summary>Unplugs everything; the hosts' <c>eth0</c> go too.</summary>
    public void Dispose()
    {
        foreach (PathForwarder path in _paths)
            path.Dispose();
        for (int port = 1; port <= _ports; port++)
            _network.Links.Delete(string.Create(CultureInfo.InvariantCulture, $"port{port}"));
        _network.Links.Delete(Bridge);
        _network.Dispose();
        _thread.Dispose();
    }
}
