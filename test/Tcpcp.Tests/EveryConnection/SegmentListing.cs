using System.Diagnostics;
using System.Globalization;
using Tcpcp.Check;

namespace Tcpcp.Tests.EveryConnection;

/// <summary>The segments around a finding, as tcpdump prints them: a failure of one in thousands of connections has to explain itself.</summary>
internal static class SegmentListing
{
    private const int Lines = 24;

    public static string Around(string capture, Contradiction finding)
    {
        ProcessStartInfo start = new("tcpdump", ["-r", capture, "-ttnS", $"port {finding.Connection.Peer.Port} and port {finding.Connection.Local.Port}"])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process tcpdump = Process.Start(start)!;
        _ = tcpdump.StandardError.ReadToEndAsync();
        string[] lines = tcpdump.StandardOutput.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        double at = (finding.Time - DateTimeOffset.UnixEpoch).TotalSeconds;
        int nearest = Array.FindIndex(lines, line => TimeOf(line) >= at - 0.000001);
        return string.Join('\n', lines.Skip(Math.Max(0, nearest - Lines)).Take(2 * Lines));
    }

    private static double TimeOf(string line) =>
        double.TryParse(line.Split(' ')[0], CultureInfo.InvariantCulture, out double seconds) ? seconds : 0;
}
