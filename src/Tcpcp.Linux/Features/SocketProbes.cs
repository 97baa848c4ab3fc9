using System.Diagnostics;
using System.Runtime.InteropServices;
using Tcpcp.Core;
using Tcpcp.Linux.Tcp;
using static Tcpcp.Linux.Tcp.SocketLevel;

namespace Tcpcp.Linux.Features;

/// <summary>Probes on a socket of their own, which is never connected.</summary>
internal static class SocketProbes
{
    public static FeatureFinding Repair() => InRepairMode(_ => FeatureFinding.Present);

    public static FeatureFinding RepairWindow() => InRepairMode(socket =>
    {
        RepairMode.Window(socket);
        return FeatureFinding.Present;
    });

    public static FeatureFinding RepairOffWithoutProbe() => InRepairMode(socket =>
    {
        RepairMode.Leave(socket, probe: false, reuseAddress: false);
        return FeatureFinding.Present;
    });

    /// <summary>An older kernel takes the unit's bit for a part of the value, and its clock goes on counting milliseconds.</summary>
    public static FeatureFinding MicrosecondTimestamp() => InRepairMode(socket =>
    {
        RepairMode.SetTimestamp(socket, 0, microseconds: true);
        long start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start) < TimeSpan.FromMilliseconds(2))
            Thread.SpinWait(50);
        return RepairMode.Timestamp(socket).Value >= 1000 ? FeatureFinding.Present : FeatureFinding.Missing("its clock counts milliseconds");
    });

    public static FeatureFinding BufferLock() => Read(SO_BUF_LOCK, "SO_BUF_LOCK");

    public static FeatureFinding NamespaceCookie()
    {
        using SafeHandle socket = RawSocket.Create(ipv6: false);
        SocketOption.Get<ulong>(socket, SOL_SOCKET, SO_NETNS_COOKIE, out _);
        return FeatureFinding.Present;
    }

    public static FeatureFinding SocketDiagnostics()
    {
        using Diagnostics.SocketDiagnostics diagnostics = new();
        diagnostics.List(TcpState.Closing);
        return FeatureFinding.Present;
    }

    private static FeatureFinding Read(int option, string name)
    {
        using SafeHandle socket = RawSocket.Create(ipv6: false);
        SocketOption.Get(socket, SOL_SOCKET, option, name);
        return FeatureFinding.Present;
    }

    private static FeatureFinding InRepairMode(Func<SafeHandle, FeatureFinding> probe)
    {
        using SafeHandle socket = RawSocket.Create(ipv6: false);
        RepairMode.Enter(socket);
        return probe(socket);
    }
}
