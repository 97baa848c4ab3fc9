using System.Net;
using System.Net.Sockets;
using Tcpcp.Core;
using Tcpcp.Linux.Tcp;

namespace Tcpcp.Linux.Packets;

/// <summary>
/// Gives segments of a connection's peer to the own stack, through loopback (raw(7), with an IP header of their own): they never leave the host. It belongs to
/// the network namespace of the thread that opened it.
/// </summary>
internal sealed class PeerSegmentSocket : IDisposable
{
    /// <summary>How long the arrival of a segment is to be waited for: it takes microseconds, but on a busy CPU the kernel's own thread has to be scheduled first.</summary>
    public static readonly TimeSpan ArrivalTime = TimeSpan.FromSeconds(1);

    private readonly FourTuple _connection;
    private readonly Socket _raw;

    private PeerSegmentSocket(FourTuple connection, Socket raw)
    {
        _connection = connection;
        _raw = raw;
    }

    /// <param name="connection">As this host names it; packets for its local address, marked so, must be delivered here.</param>
    /// <param name="mark">SO_MARK of the packets, by which the gate lets them through.</param>
    public static PeerSegmentSocket Open(FourTuple connection, uint mark)
    {
        Socket raw = new(connection.Local.AddressFamily, SocketType.Raw, ProtocolType.Raw);
        try
        {
            SocketOption.Set(raw.SafeHandle, SocketLevel.SOL_SOCKET, SocketLevel.SO_MARK, mark);
            return new PeerSegmentSocket(connection, raw);
        }
        catch
        {
            raw.Dispose();
            throw;
        }
    }

    /// <summary>Lets a segment arrive: mostly before this returns, on a busy CPU a little later.</summary>
    public void Deliver(PeerSegment segment)
    {
        Span<byte> packet = stackalloc byte[PeerSegment.MaxPacketBytes];
        _raw.SendTo(segment.Write(packet, _connection), new IPEndPoint(_connection.Local.Address, 0));
    }

    public void Dispose() => _raw.Dispose();
}
