using System.Globalization;
using Tcpcp.Lab;

namespace Tcpcp.Traffic;

/// <summary>What the TCP of a host has counted (the lines TcpExt of /proc/net/netstat).</summary>
internal sealed class TcpStatistics
{
    // What makes a peer send again.
    private static readonly string[] s_telling =
    [
        "TCPTimeouts", "TCPLossProbes", "TCPFastRetrans", "TCPSackRecovery", "TCPDSACKRecv", "TCPDSACKOldSent", "TCPRcvQDrop", "TCPZeroWindowDrop", "TCPBacklogDrop", "TCPOFODrop",
        "TCPOFOQueue", "PruneCalled", "RcvPruned", "OfoPruned", "TCPRcvCollapsed", "TCPRcvCoalesce", "PAWSEstab", "TCPMinTTLDrop", "TCPFilter",
    ];

    private readonly Dictionary<string, long> _values;

    private TcpStatistics(Dictionary<string, long> values) => _values = values;

    public long this[string name] => _values.GetValueOrDefault(name);

    /// <summary>A line of names, and one of their values below it.</summary>
    public static TcpStatistics Read(Host host) => host.Run(() =>
    {
        string[][] lines = [.. File.ReadLines("/proc/thread-self/net/netstat").Where(line => line.StartsWith("TcpExt:", StringComparison.Ordinal)).Select(line => line.Split(' '))];
        return new TcpStatistics(lines[0].Zip(lines[1]).Skip(1).ToDictionary(pair => pair.First, pair => long.Parse(pair.Second, CultureInfo.InvariantCulture), StringComparer.Ordinal));
    });

    /// <summary>What has grown since another reading, of that which tells why a peer sends again.</summary>
    public string Since(TcpStatistics before) => string.Join(' ', s_telling.Where(name => this[name] > before[name]).Select(name => $"{name} {this[name] - before[name]}"));
}
