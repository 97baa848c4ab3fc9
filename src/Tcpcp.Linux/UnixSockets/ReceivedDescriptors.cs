using System.Net.Sockets;
using Microsoft.Win32.SafeHandles;
using Tcpcp.Linux.Processes;
using Tcpcp.Linux.Tcp;
using static Tcpcp.Linux.Tcp.SocketLevel;

namespace Tcpcp.Linux.UnixSockets;

/// <summary>The descriptors that came with a packet, in their order. Those that are not taken are closed with this.</summary>
internal sealed class ReceivedDescriptors(IReadOnlyList<DuplicatedDescriptor> descriptors) : IDisposable
{
    public int Count => descriptors.Count;

    /// <summary>A TCP socket of IPv4 or IPv6: no Unix socket, no Multipath TCP, no file.</summary>
    public bool IsTcpSocket(int index) =>
        SocketOption.TryGet(descriptors[index], SOL_SOCKET, SO_DOMAIN, out int domain, out _) && domain is AF_INET or AF_INET6 &&
        SocketOption.TryGet(descriptors[index], SOL_SOCKET, SO_PROTOCOL, out int protocol, out _) && protocol == IPPROTO_TCP;

    /// <summary>The descriptor, as it is: its close changes nothing of the open file.</summary>
    public DuplicatedDescriptor Take(int index) => new(descriptors[index].Detach());

    public SafeSocketHandle TakeSocket(int index) => new(descriptors[index].Detach(), ownsHandle: true);

    public SafeFileHandle TakeFile(int index) => new(descriptors[index].Detach(), ownsHandle: true);

    public void Dispose()
    {
        foreach (DuplicatedDescriptor descriptor in descriptors)
            descriptor.Dispose();
    }
}
