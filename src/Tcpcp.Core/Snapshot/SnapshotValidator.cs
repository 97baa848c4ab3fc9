using System.Buffers;
using System.Net;
using System.Net.Sockets;

namespace Tcpcp.Core;

/// <summary>Says what is wrong with a snapshot before any system call sees it.</summary>
public static class SnapshotValidator
{
    /// <summary>Default limit of each queue: 64 MiB.</summary>
    public const int DefaultMaxQueueBytes = 64 << 20;

    /// <summary>Largest window that a shift count of 14 can say: 65535 &lt;&lt; 14 bytes (RFC 7323, 2.3).</summary>
    private const uint MaxWindowBytes = 65535u << 14;

    private static readonly TimeSpan s_maxAhead = TimeSpan.FromSeconds(1);

    private static readonly SearchValues<char> NameCharacters =
        SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

    /// <summary>Checks <paramref name="snapshot"/>.</summary>
    /// <param name="snapshot">From wherever it came.</param>
    /// <param name="maxQueueBytes">Limit of each queue in bytes.</param>
    /// <returns>Null if it can be of a TCP connection, else what is wrong in one sentence.</returns>
    public static string? FindFault(ConnectionSnapshot snapshot, int maxQueueBytes = DefaultMaxQueueBytes)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        return FindAddressFault(snapshot) ?? FindQueueFault(snapshot, maxQueueBytes) ?? FindWindowFault(snapshot)
            ?? FindNegotiationFault(snapshot) ?? FindOptionFault(snapshot);
    }

    /// <summary>Throws what <see cref="FindFault"/> says.</summary>
    /// <exception cref="InvalidSnapshotException">The snapshot is not valid.</exception>
    public static void ThrowIfInvalid(ConnectionSnapshot snapshot)
    {
        if (FindFault(snapshot) is { } fault)
            throw new InvalidSnapshotException($"The snapshot of {snapshot.Connection} is not valid: {fault}");
    }

    private static string? FindAddressFault(ConnectionSnapshot snapshot)
    {
        FourTuple tuple = snapshot.Connection;
        if (tuple.Local is null)
            return "it names no connection.";
        if (tuple.Local.Port == 0 || tuple.Peer.Port == 0)
            return "a port is 0.";
        if (snapshot.IsV4Mapped && tuple.IsIPv6)
            return "it is said to be v4-mapped, with an IPv6 address.";
        return FindAddressFault(tuple.Local.Address) ?? FindAddressFault(tuple.Peer.Address)
            ?? (tuple.Local.Equals(tuple.Peer) ? "both ends are the same." : null);
    }

    private static string? FindAddressFault(IPAddress address)
    {
        if (address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any) || address.Equals(IPAddress.Broadcast))
            return $"{address} cannot be the end of a connection.";
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out _);
        bool multicast = address.AddressFamily == AddressFamily.InterNetworkV6 ? address.IsIPv6Multicast : bytes[0] is >= 224 and < 240;
        return multicast ? $"{address} is a multicast address." : null;
    }

    private static string? FindQueueFault(ConnectionSnapshot snapshot, int maxQueueBytes)
    {
        if (!snapshot.State.IsPassable())
            return $"a connection in state {snapshot.State} cannot be passed.";
        if ((long)snapshot.Sent.Length + snapshot.Unsent.Length > maxQueueBytes)
            return $"the send queue has {(long)snapshot.Sent.Length + snapshot.Unsent.Length} bytes, the limit is {maxQueueBytes}.";
        if (snapshot.Unread.Length > maxQueueBytes)
            return $"the receive queue has {snapshot.Unread.Length} bytes, the limit is {maxQueueBytes}.";

        if (snapshot.FinWritten != snapshot.State.HasOwnFin())
            return $"state {snapshot.State} and the own FIN contradict each other.";
        if (snapshot.FinReceived != snapshot.State.HasPeersFin())
            return $"state {snapshot.State} and the peer's FIN contradict each other.";

        if (snapshot.State == TcpState.FinWait2 && snapshot.Sent.Length + snapshot.Unsent.Length > 0)
            return "state FinWait2 and the send queue contradict each other: all is acknowledged.";

        // The own FIN counts one until it is acknowledged, which FIN_WAIT2 says.
        int fin = snapshot.State.HasOpenFin() ? 1 : 0;
        int written = snapshot.WriteSeq - snapshot.SndUna;
        if (written != snapshot.Sent.Length + snapshot.Unsent.Length + fin)
            return $"the send queue has {snapshot.Sent.Length} + {snapshot.Unsent.Length} bytes, the sequence numbers say {written - fin}.";
        int inFlight = snapshot.SndNxt - snapshot.SndUna;
        bool finSent = fin == 1 && snapshot.Unsent.Length == 0 && inFlight == snapshot.Sent.Length + 1;
        return inFlight == snapshot.Sent.Length || finSent
            ? null
            : $"{snapshot.Sent.Length} bytes are in flight, the sequence numbers say {inFlight}.";
    }

    private static string? FindWindowFault(ConnectionSnapshot snapshot)
    {
        RepairWindow window = snapshot.Window;
        if (window.SndWnd > MaxWindowBytes || window.MaxWindow > MaxWindowBytes || window.RcvWnd > MaxWindowBytes)
            return $"a window is larger than {MaxWindowBytes} bytes.";
        if (window.MaxWindow < window.SndWnd)
            return $"the largest window offered ({window.MaxWindow}) is smaller than the present one ({window.SndWnd}).";
        if (window.RcvWup.IsAfter(snapshot.RcvNxt))
            return "the receive window was offered for bytes that had not come (rcv_wup > RCV.NXT).";
        return (window.RcvWup + (int)window.RcvWnd).IsBefore(snapshot.RcvNxt)
            ? "more was received than the window allowed (rcv_wup + RCV.WND < RCV.NXT)."
            : null;
    }

    private static string? FindNegotiationFault(ConnectionSnapshot snapshot)
    {
        NegotiatedOptions negotiated = snapshot.Negotiated;
        if (negotiated.SndWscale > 14 || negotiated.RcvWscale > 14)
            return "a window scale is greater than 14.";
        if (!negotiated.WindowScaling && (negotiated.SndWscale != 0 || negotiated.RcvWscale != 0))
            return "a window scale is given and window scaling is off.";
        if (snapshot.Timestamps.Ahead < TimeSpan.Zero || snapshot.Timestamps.Ahead > s_maxAhead)
            return $"the timestamps are said to be {snapshot.Timestamps.Ahead.TotalMilliseconds} ms ahead of their clock; the limit is 1000 ms.";
        if (negotiated.MssClamp is < 1 or > 65535)
            return $"the peer's MSS is {negotiated.MssClamp}.";
        return negotiated.SendMss is < 1 or > 65535 ? $"the send MSS is {negotiated.SendMss}." : null;
    }

    private static string? FindOptionFault(ConnectionSnapshot snapshot)
    {
        TcpSocketOptions options = snapshot.Options;
        if (options.KeepAliveTime < TimeSpan.Zero || options.KeepAliveTime.TotalSeconds > 32767
            || options.KeepAliveInterval < TimeSpan.Zero || options.KeepAliveInterval.TotalSeconds > 32767
            || options.KeepAliveProbes is < 0 or > 127)
            return "the keep-alive times are out of range (32767 s, 127 probes).";
        if (options.UserTimeout < TimeSpan.Zero || options.UserTimeout.TotalMilliseconds > int.MaxValue)
            return "the user timeout is out of range.";
        if (options.Linger is { } linger && (linger < TimeSpan.Zero || linger.TotalSeconds > int.MaxValue))
            return "the linger time is out of range.";
        if (options.TimeToLive is < 0 or > 255)
            return $"the time to live is {options.TimeToLive}.";
        if (options.SendBufferBytes < 0 || options.ReceiveBufferBytes < 0)
            return "a buffer size is negative.";
        if (snapshot.Congestion.Start is not (CongestionStart.Default or CongestionStart.New or CongestionStart.Keep))
            return $"the start of congestion control is {(int)snapshot.Congestion.Start}.";
        string algorithm = snapshot.Congestion.Algorithm ?? "";
        return algorithm.Length > 15 || algorithm.AsSpan().ContainsAnyExcept(NameCharacters)
            ? "the name of the congestion control algorithm is no name."
            : null;
    }
}
