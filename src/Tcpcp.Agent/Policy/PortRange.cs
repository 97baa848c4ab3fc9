using System.Globalization;

namespace Tcpcp.Agent.Policy;

/// <summary>Ports from the first to the last, both included.</summary>
internal readonly record struct PortRange(int First, int Last)
{
    /// <param name="text">A port, or two with <c>-</c> between.</param>
    /// <returns>What is wrong with it, in one sentence; null if nothing.</returns>
    public static string? TryParse(string text, out PortRange range)
    {
        string[] parts = text.Split('-');
        range = default;
        if (parts.Length is not (1 or 2) || !TryParsePort(parts[0], out int first) || !TryParsePort(parts[^1], out int last))
            return $"'{text}' is no port from 1 to 65535 and no range such as 8000-8099.";
        range = new PortRange(first, last);
        return first <= last ? null : $"'{text}' ends before it begins.";
    }

    public bool Contains(int port) => port >= First && port <= Last;

    private static bool TryParsePort(string text, out int port) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port) && port is >= 1 and <= ushort.MaxValue;
}
