using Tcpcp.Linux.Diagnostics;

namespace Tcpcp.Cli.Connections;

/// <summary>The whole kernel state of one connection as <c>tcpcp show --json</c> prints it, with snake_case names.</summary>
/// <param name="Socket">What <c>list</c> has of it.</param>
/// <param name="Cookie">SO_COOKIE.</param>
/// <param name="InterfaceIndex">The interface that it is bound to; 0: none.</param>
/// <param name="Timer">The timer that runs.</param>
/// <param name="Congestion">The congestion control's name.</param>
/// <param name="Options">What the SYN exchange agreed on: timestamps, sack, window_scaling, ecn.</param>
/// <param name="TcpInfo">struct tcp_info (linux/tcp.h) without the prefix tcpi_.</param>
/// <param name="Memory">Memory and its limits in bytes.</param>
/// <param name="Tos">IP_TOS.</param>
/// <param name="TrafficClass">IPV6_TCLASS.</param>
/// <param name="ReceiveShutdown">The receiving side is shut down.</param>
/// <param name="SendShutdown">The sending side is shut down.</param>
/// <param name="UpperLayer">An upper layer protocol in the kernel.</param>
/// <param name="Md5Keys">TCP-MD5 keys are set.</param>
/// <param name="CgroupId">Its cgroup.</param>
internal sealed record ConnectionDetailsReport(
    ConnectionReport Socket, ulong Cookie, uint InterfaceIndex, TimerReport Timer, string? Congestion, IReadOnlyList<string> Options,
    Dictionary<string, ulong>? TcpInfo, Dictionary<string, ulong>? Memory, byte? Tos, byte? TrafficClass, bool ReceiveShutdown, bool SendShutdown,
    string? UpperLayer, bool Md5Keys, ulong? CgroupId)
{
    private const int ReceiveShutdownBit = 1;
    private const int SendShutdownBit = 2;

    public static ConnectionDetailsReport Of(SocketDetails details, IReadOnlyList<SocketOwner> owners)
    {
        ListedSocket socket = details.Socket;
        string? reason = PassableByState.ReasonAgainst(details);
        return new ConnectionDetailsReport(
            ConnectionReport.Of(socket, owners) with { Passable = reason is null, NotPassableBecause = reason },
            socket.Cookie, socket.InterfaceIndex,
            new TimerReport(TimerReport.NameOf(socket.Timer), socket.TimerExpires.TotalMilliseconds, socket.Attempts),
            details.Congestion, TcpInfoFields.Options(details.Info), TcpInfoFields.Of(details), MemoryOf(details.Memory),
            details.TypeOfService, details.TrafficClass,
            (details.Shutdown & ReceiveShutdownBit) != 0, (details.Shutdown & SendShutdownBit) != 0, details.UpperLayer, details.HasMd5Keys,
            details.CgroupId);
    }

    private static Dictionary<string, ulong>? MemoryOf(SocketMemory? memory) => memory is not { } value ? null : new(StringComparer.Ordinal)
    {
        ["receive_allocated"] = value.ReceiveAllocated,
        ["receive_buffer"] = value.ReceiveBuffer,
        ["send_allocated"] = value.SendAllocated,
        ["send_buffer"] = value.SendBuffer,
        ["send_queued"] = value.SendQueued,
        ["forward_allocated"] = value.ForwardAllocated,
        ["option_memory"] = value.OptionMemory,
        ["backlog"] = value.Backlog,
        ["drops"] = value.Drops,
    };
}

/// <summary>A timer of the kernel.</summary>
/// <param name="Kind">none, retransmit, keep_alive, time_wait, zero_window_probe.</param>
/// <param name="ExpiresMs">Until it ends.</param>
/// <param name="Attempts">How often it has ended without an answer.</param>
internal sealed record TimerReport(string Kind, double ExpiresMs, int Attempts)
{
    public static string NameOf(TcpTimer timer) => timer switch
    {
        TcpTimer.None => "none",
        TcpTimer.Retransmit => "retransmit",
        TcpTimer.KeepAlive => "keep_alive",
        TcpTimer.TimeWait => "time_wait",
        TcpTimer.ZeroWindowProbe => "zero_window_probe",
        _ => timer.ToString(),
    };
}
