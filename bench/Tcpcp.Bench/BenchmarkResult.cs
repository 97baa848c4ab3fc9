using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Tcpcp.Bench;

/// <summary>One figure beside its baseline from the same run.</summary>
/// <param name="Goal">What the ratio should be at most; null: it is shown, and judged by nothing.</param>
internal sealed record BenchmarkResult(string Name, double Value, string Unit, string Baseline, double BaselineValue, double? Goal)
{
    public double Ratio => Math.Round(Value / BaselineValue, 3);

    public bool? Met => Goal is { } goal ? Ratio <= goal : null;

    private string Judgement => Goal is { } goal ? string.Create(CultureInfo.InvariantCulture, $" (goal {goal:F2}, {(Met == true ? "met" : "missed")})") : "";

    public void Print(bool json) => Console.WriteLine(json
        ? JsonSerializer.Serialize(this, BenchmarkResultContext.Default.BenchmarkResult)
        : string.Create(CultureInfo.InvariantCulture,
            $"{Name}: {Value:F1} {Unit}; {Baseline}: {BaselineValue:F1} {Unit}; ratio {Ratio:F2}{Judgement}"));
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(BenchmarkResult))]
internal sealed partial class BenchmarkResultContext : JsonSerializerContext;
