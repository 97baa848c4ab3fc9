using System.Text.Json.Serialization;
using Tcpcp.Client;
using Tcpcp.Core;

namespace Tcpcp.Cli.Agents;

/// <summary>What became of one connection.</summary>
/// <param name="Connection">Null when there was nothing to pass, or for a service address.</param>
/// <param name="Owner">Origin, Destination, InDoubt or Nobody.</param>
/// <param name="Failure">None, or why it was not passed.</param>
/// <param name="BlackoutUs">From the divert to the activation, in microseconds; null if it is not known.</param>
internal sealed record PassReport(string? Connection, string Application, string Destination, string Owner, string Failure, string Detail, double? BlackoutUs, int Done,
    int Total)
{
    /// <summary>A service address that has moved to the destination, or not; null for a connection.</summary>
    public string? Address { get; init; }

    public static PassReport Of(DrainProgress progress) => new(progress.Connection?.ToString(), progress.Application, progress.Destination,
        progress.Result.Owner.ToString(), progress.Result.Failure.ToString(), progress.Result.Detail, progress.Blackout?.TotalMicroseconds, progress.Done, progress.Total)
    {
        Address = progress.Address?.ToString(),
    };
}

/// <summary>A pass that is not forgotten yet.</summary>
internal sealed record OpenPassReport(string Pass, string Side, string State, IReadOnlyList<string> Connections, string Application, string OtherHost,
    double AgeSeconds, double? KernelTimeLeftSeconds, string Detail)
{
    public static OpenPassReport Of(OpenPass pass) => new(pass.Pass.ToString(), pass.Role.ToString(), pass.State, [.. pass.Connections.Select(one => one.ToString())],
        pass.Application, pass.OtherHost, pass.Age.TotalSeconds, pass.KernelTimeLeft?.TotalSeconds, pass.Detail);
}

/// <summary>How a pass was settled.</summary>
internal sealed record SettledReport(string Pass, string Owner, string Failure, string Detail)
{
    public static SettledReport Of(PassId pass, PassResult result) => new(pass.ToString(), result.Owner.ToString(), result.Failure.ToString(), result.Detail);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(PassReport))]
[JsonSerializable(typeof(OpenPassReport))]
[JsonSerializable(typeof(SettledReport))]
[JsonSerializable(typeof(AgentStatus))]
internal sealed partial class AgentJson : JsonSerializerContext;
