using System.Text.Json;

namespace Tcpcp.Bench.Blackout;

/// <summary>When the steps of one pass were done, as both agents have told; microseconds after the divert.</summary>
internal sealed class PassTimeline
{
    /// <summary>The steps of the blackout in their order, at the origin up to <c>Sent</c>, then at the destination.</summary>
    public static readonly string[] Steps =
    [
        "diverted", "frozen", "captured", "sending_recorded", "sent", "received", "restored", "accepted", "activating", "woken", "replayed", "activated",
    ];

    private readonly Dictionary<string, double> _at = new(StringComparer.Ordinal);

    /// <summary>Time of each step since the one before it.</summary>
    public double Of(string step) => _at[step] - _at[Steps[Array.IndexOf(Steps, step) - 1]];

    public double Whole => _at[Steps[^1]] - _at[Steps[0]];

    /// <summary>The passes that have all steps.</summary>
    /// <param name="lines">What both agents have told.</param>
    public static IReadOnlyList<PassTimeline> Read(IEnumerable<string> lines)
    {
        Dictionary<string, PassTimeline> passes = new(StringComparer.Ordinal);
        foreach (string line in lines)
        {
            using JsonDocument step = JsonDocument.Parse(line);
            if (!step.RootElement.TryGetProperty("pass", out JsonElement pass))
                continue;
            if (!passes.TryGetValue(pass.GetString()!, out PassTimeline? timeline))
                passes[pass.GetString()!] = timeline = new PassTimeline();
            string action = JsonNamingPolicy.SnakeCaseLower.ConvertName(step.RootElement.GetProperty("action").GetString()!);
            timeline._at.TryAdd(action, step.RootElement.GetProperty("monotonic_nanoseconds").GetInt64() / 1000.0);
        }

        return [.. passes.Values.Where(timeline => Steps.All(timeline._at.ContainsKey))];
    }
}
