using System.Runtime.InteropServices;
using Tcpcp.Core;
using Tcpcp.Linux;
using Tcpcp.Linux.Diagnostics;
using Tcpcp.Linux.Tcp;
using static Tcpcp.Linux.Tcp.SocketLevel;
using static Tcpcp.Linux.Tcp.TcpOption;

namespace Tcpcp.Capture;

/// <summary>Finds out whether a connection signs its segments: TCP-MD5 (RFC 2385) or TCP-AO (RFC 5925).</summary>
internal static class SegmentSignature
{
    private const int Both = TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK;

    private static volatile bool s_noAuthenticationOption;

    /// <summary>The signature's name, null if there is none. To be called on a thread in the socket's network namespace.</summary>
    public static string? Find(SafeHandle socket, FourTuple connection, in TcpInfo info)
    {
        if (!s_noAuthenticationOption)
        {
            if (SocketOption.TryGet(socket, IPPROTO_TCP, TCP_AO_INFO, out AuthenticationInfo _, out _))
                return "TCP-AO";
            s_noAuthenticationOption = Marshal.GetLastPInvokeError() == Errno.ENOPROTOOPT; // this kernel has none
        }

        // The kernel agrees on timestamps or on SACK with a peer whose segments are signed by MD5, never on both (tcp_synack_options): there is no room.
        if ((info.tcpi_options & Both) == Both)
            return null;
        using SocketDiagnostics diagnostics = new();
        return diagnostics.Find(connection) is { } listed && diagnostics.Describe(listed) is { HasMd5Keys: true } ? "TCP-MD5" : null;
    }

    // struct tcp_ao_info_opt (linux/tcp.h, Linux 6.7): only whether there is one matters.
    [StructLayout(LayoutKind.Sequential, Size = 56)]
    private struct AuthenticationInfo;
}
