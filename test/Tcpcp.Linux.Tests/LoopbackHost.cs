using System.Net;
using System.Net.Sockets;
using Tcpcp.Linux.Namespaces;
using Tcpcp.Linux.Netlink;
using Tcpcp.Linux.Nftables;

namespace Tcpcp.Linux.Tests;

/// <summary>A host of its own whose only way is its loopback interface.</summary>
internal sealed class LoopbackHost : IDisposable
{
    private const int LimitMilliseconds = 20_000;

    private readonly NamespaceThread _thread = NamespaceThread.Start("loopback host");

    public LoopbackHost()
    {
        Network = Run(RouteNetlink.Open);
        Network.Links.SetUp("lo");
    }

    public RouteNetlink Network { get; }

    public T Run<T>(Func<T> work) => _thread.Run(work);

    public string Nft(string commands, bool json = false) => Run(() => LibNftables.Run(commands, json));

    /// <summary>Adds an address to an interface that is up; when this returns, packets for it are taken.</summary>
    public void AddAddress(string interfaceName, string text)
    {
        InterfaceAddress address = InterfaceAddress.Parse(text);
        Network.Addresses.Add(Network.Links.Get(interfaceName).Index, address);
        if (address.Address.AddressFamily == AddressFamily.InterNetworkV6)
            Assert.True(SpinWait.SpinUntil(() => HasLocalRoute(address.Address), LimitMilliseconds), $"{address} has no local route.");
    }

    /// <summary>Two connected sockets; a v4-mapped address makes IPv6 sockets that carry IPv4. Waiting for data has a limit.</summary>
    public (Socket Client, Socket Server) Connect(IPAddress address)
    {
        using Socket listener = Listen(address);
        Socket client = MakeSocket(address.AddressFamily);
        client.Connect(listener.LocalEndPoint!);
        Socket server = listener.Accept();
        client.ReceiveTimeout = server.ReceiveTimeout = LimitMilliseconds;
        return (client, server);
    }

    public Socket Listen(IPAddress address)
    {
        Socket listener = MakeSocket(address.AddressFamily);
        listener.Bind(new IPEndPoint(address, 0));
        listener.Listen();
        return listener;
    }

    public Socket MakeSocket(AddressFamily family, SocketType type = SocketType.Stream) => Run(() =>
    {
        Socket socket = new(family, type, ProtocolType.Unspecified);
        if (family == AddressFamily.InterNetworkV6)
            socket.DualMode = true;
        return socket;
    });

    public void Dispose()
    {
        Network.Dispose();
        _thread.Dispose();
    }

    // A work queue of the kernel makes it after the address. The lines begin with the destination and end with the interface; 80200001: up, local.
    private bool HasLocalRoute(IPAddress address)
    {
        string destination = Convert.ToHexStringLower(address.GetAddressBytes());
        return Run(() => File.ReadAllLines("/proc/thread-self/net/ipv6_route")).Any(line =>
            line.StartsWith(destination, StringComparison.Ordinal) && line.Contains(" 80200001 ", StringComparison.Ordinal));
    }
}
