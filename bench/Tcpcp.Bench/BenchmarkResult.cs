using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Tcpcp.Bench;

/// <summary>One figure beside its baseline from the same run.</summary>
/// <param name="Goal">What the ratio should be at most, or at least; null: it is shown, and judged by nothing.</param>
internal sealed record BenchmarkResult(string Name, double Value, string Unit, string Baseline, double BaselineValue, double? Goal)
{
    public double Ratio => Math.Round(Value / BaselineValue, 3);

    /// <summary>More is better: the goal is what the ratio should be at least.</summary>
    public bool AtLeast { get; init; }

    public bool? Met => Goal is not { } goal ? null : AtLeast ? Ratio >= goal : Ratio <= goal;

    private string Judgement => Goal is { } goal ? string.Create(CultureInfo.InvariantCulture, $" (goal {(AtLeast ? "at least " : "")}{goal:F2}, {(Met == true ? "met" : "missed")})") : "";

    public void Print(bool json) => Console.WriteLine(json
        ? JsonSerializer.Serialize(this, BenchmarkResultContext.Default.BenchmarkResult)
        : string.Create(CultureInfo.InvariantCulture,
            $"{Name}: {Value:F1} {Unit}; {Baseline}: {BaselineValue:F1} {Unit}; ratio {Ratio:F2}{Judgement}"));
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(BenchmarkResult))]
internal sealed partial class BenchmarkResultContext : JsonSerializerContext;
