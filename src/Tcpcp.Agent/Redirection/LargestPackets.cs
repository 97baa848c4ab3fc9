using System.Net.Sockets;
using Tcpcp.Core;
using Tcpcp.Linux.Diagnostics;

namespace Tcpcp.Agent.Redirection;

/// <summary>How large the packets of a peer may be.</summary>
internal static class LargestPackets
{
    private const int TimestampBytes = 12; // which the kernel has taken off what it may send
    private const int Ipv4HeaderBytes = 40; // with TCP's, as the segment size is announced
    private const int Ipv6HeaderBytes = 60;
    private const byte TCPI_OPT_TIMESTAMPS = 1; // linux/tcp.h

    /// <summary>By the segment sizes that both ends have announced: the peer sends none larger than this host's, and its own says what its link takes.</summary>
    /// <returns>0 if this host does not have the connection.</returns>
    public static int Of(SocketDiagnostics sockets, FourTuple connection)
    {
        if (sockets.Find(connection) is not { } socket || sockets.Describe(socket) is not { Info: { } info })
            return 0;
        int own = (int)info.tcpi_snd_mss + ((info.tcpi_options & TCPI_OPT_TIMESTAMPS) != 0 ? TimestampBytes : 0);
        return Math.Min((int)info.tcpi_advmss, own) + (connection.Local.AddressFamily == AddressFamily.InterNetworkV6 ? Ipv6HeaderBytes : Ipv4HeaderBytes);
    }
}
