using System.Globalization;
using System.Net;
using Tcpcp.Linux;
using Tcpcp.Linux.Tcp;
using FourTuple = Tcpcp.Core.FourTuple;

namespace Tcpcp.Agent.Redirection;

/// <summary>
/// Keeps the ports of connections whose packets this host forwards from being given to new ones. A connection that this host's programs had opened, and that was passed, is no socket here any
/// more: connect(2) would take its port for another connection to the same server, whose answers then went to the owner of the passed one. A socket that is bound to the port, on a loopback
/// address that nobody uses, keeps connect from choosing it. Not thread-safe.
/// </summary>
internal sealed class OutgoingPorts : IDisposable
{
    private const string RangeFile = "/proc/sys/net/ipv4/ip_local_port_range";
    private const int RangeKnownForMilliseconds = 1000;

    private static readonly IPAddress s_address = IPAddress.Parse("127.115.0.1");

    private readonly Dictionary<int, (int Connections, RawSocketHandle? Socket)> _held = [];
    private (int First, int Last) _range;
    private long _rangeReadAt = long.MinValue / 2;

    /// <summary>Keeps the port of a connection that is forwarded from now on.</summary>
    public void Hold(FourTuple connection)
    {
        int port = connection.Local.Port;
        if (Environment.TickCount64 - _rangeReadAt > RangeKnownForMilliseconds)
            (_range, _rangeReadAt) = (Range(), Environment.TickCount64);
        if (port < _range.First || port > _range.Last)
            return; // connect chooses none of these
        (int connections, RawSocketHandle? socket) = _held.GetValueOrDefault(port);
        _held[port] = (connections + 1, connections == 0 ? TryBind(port) : socket);
    }

    /// <summary>A connection that was held is forwarded no more.</summary>
    public void Release(FourTuple connection)
    {
        int port = connection.Local.Port;
        if (!_held.TryGetValue(port, out (int Connections, RawSocketHandle? Socket) held))
            return;
        if (held.Connections > 1)
        {
            _held[port] = held with { Connections = held.Connections - 1 };
            return;
        }

        held.Socket?.Dispose();
        _held.Remove(port);
    }

    public void Dispose()
    {
        foreach ((int Connections, RawSocketHandle? Socket) held in _held.Values)
            held.Socket?.Dispose();
        _held.Clear();
    }

    // Without SO_REUSEADDR: that is what keeps the port. Where a program listens at the port of any address it is refused, and not needed: connect leaves such a port alone.
    private static RawSocketHandle? TryBind(int port)
    {
        try
        {
            RawSocketHandle socket = RawSocket.Create(ipv6: false);
            try
            {
                SocketOption.TrySet(socket, SocketLevel.IPPROTO_IP, IpOption.IP_FREEBIND, 1);
                RawSocket.Bind(socket, new IPEndPoint(s_address, port), ipv6: false);
                return socket;
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        }
        catch (KernelException)
        {
            return null; // the descriptors have run out: it is forwarded nevertheless
        }
    }

    /// <summary>What connect(2) chooses from.</summary>
    public static (int First, int Last) Range()
    {
        int[] bounds = [.. File.ReadAllText(RangeFile).Split((char[])['\t', ' ', '\n'], StringSplitOptions.RemoveEmptyEntries).Select(bound => int.Parse(bound, CultureInfo.InvariantCulture))];
        return (bounds[0], bounds[1]);
    }
}
