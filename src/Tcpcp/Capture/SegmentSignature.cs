using System.Runtime.InteropServices;
using Tcpcp.Core;
using Tcpcp.Linux.Diagnostics;
using Tcpcp.Linux.Tcp;
using static Tcpcp.Linux.Tcp.SocketLevel;
using static Tcpcp.Linux.Tcp.TcpOption;

namespace Tcpcp.Capture;

/// <summary>Finds out whether a connection signs its segments: TCP-MD5 (RFC 2385) or TCP-AO (RFC 5925).</summary>
internal static class SegmentSignature
{
    private const int IPv4AndTcpHeaderBytes = 40;
    private const int IPv6AndTcpHeaderBytes = 60;
    private const int TimestampBytes = 12;
    private const int LeastSignatureBytes = 8;

    /// <summary>The signature's name, null if there is none. To be called on a thread in the socket's network namespace.</summary>
    public static string? Find(SafeHandle socket, FourTuple connection, in TcpInfo info)
    {
        // A signature takes room in every segment: where the MSS leaves none, no question to the kernel is needed.
        int room = (int)info.tcpi_pmtu - (connection.IsIPv6 ? IPv6AndTcpHeaderBytes : IPv4AndTcpHeaderBytes)
            - ((info.tcpi_options & TCPI_OPT_TIMESTAMPS) != 0 ? TimestampBytes : 0) - (int)info.tcpi_snd_mss;
        if (room < LeastSignatureBytes)
            return null;
        if (SocketOption.TryGet(socket, IPPROTO_TCP, TCP_AO_INFO, out AuthenticationInfo _, out _))
            return "TCP-AO";
        using SocketDiagnostics diagnostics = new();
        return diagnostics.Find(connection) is { } listed && diagnostics.Describe(listed) is { HasMd5Keys: true } ? "TCP-MD5" : null;
    }

    // struct tcp_ao_info_opt (linux/tcp.h, Linux 6.7): only whether there is one matters.
    [StructLayout(LayoutKind.Sequential, Size = 56)]
    private struct AuthenticationInfo;
}
