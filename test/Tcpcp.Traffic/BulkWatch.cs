using System.Net.Sockets;
using Tcpcp.Lab;

namespace Tcpcp.Traffic;

/// <summary>What the TCP of the peer and of the two hosts does during a pass.</summary>
internal sealed class BulkWatch
{
    private readonly IReadOnlyList<Host> _hosts;
    private readonly Socket _socket;
    private readonly TcpStatistics[] _before;
    private readonly PeerCounters _countersBefore;

    /// <param name="hosts">The peer first.</param>
    /// <param name="socket">The peer's.</param>
    public BulkWatch(IReadOnlyList<Host> hosts, Socket socket)
    {
        (_hosts, _socket) = (hosts, socket);
        _before = [.. hosts.Select(TcpStatistics.Read)];
        _countersBefore = PeerCounters.Read(_before[0], socket);
    }

    /// <param name="blackout">Null: the pass was refused.</param>
    public BulkPass End(TimeSpan? blackout)
    {
        TcpStatistics[] after = [.. _hosts.Select(TcpStatistics.Read)];
        return new BulkPass(blackout, PeerCounters.Read(after[0], _socket) - _countersBefore,
            string.Join("; ", _hosts.Select((host, number) => $"{host.Name} {after[number].Since(_before[number])}")));
    }
}
