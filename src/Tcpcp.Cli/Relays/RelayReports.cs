using System.Text.Json.Serialization;
using Tcpcp.Core.Wire;

namespace Tcpcp.Cli.Relays;

/// <summary>A listener, as <c>tcpcp relay status</c> prints it.</summary>
/// <param name="MaxSessions">0: no limit.</param>
/// <param name="Total">Sessions accepted, and passed here.</param>
/// <param name="Refused">Clients whose session did not open.</param>
internal sealed record ListenerReport(string Kind, string Name, IReadOnlyList<string> Addresses, string Pool, long Sessions, long MaxSessions, long Total, long Refused,
    long BytesToServer, long BytesToClient, long PassedIn, long PassedOut)
{
    public static ListenerReport Of(RelayListenerRow row) => new("listener", row.Name, [.. row.Addresses], row.Pool, row.Sessions, row.MaxSessions, (long)row.Total, (long)row.Refused,
        (long)row.BytesToServer, (long)row.BytesToClient, (long)row.PassedIn, (long)row.PassedOut);
}

/// <summary>A server, as <c>tcpcp relay status</c> prints it.</summary>
/// <param name="State">What the operator wants: ready, drain or maint.</param>
/// <param name="Health">up, down or ejected.</param>
/// <param name="LastCheck">Its result; empty: there was none.</param>
/// <param name="Queued">Sessions that wait for a server of the pool.</param>
internal sealed record ServerReport(string Kind, string Pool, string Name, string Address, string State, string Health, long Weight, bool IsBackup, long Sessions, long MaxSessions,
    long Total, long ConnectFailures, long BytesToServer, long BytesToClient, string LastCheck, double LastCheckMs, long Queued)
{
    private const double MicrosecondsPerMillisecond = 1000;

    public static ServerReport Of(RelayServerRow row) => new("server", row.Pool, row.Name, row.Address, row.State, row.Health, row.Weight, row.IsBackup, row.Sessions, row.MaxSessions,
        (long)row.Total, (long)row.ConnectFailures, (long)row.BytesToServer, (long)row.BytesToClient, row.LastCheck, row.LastCheckUs / MicrosecondsPerMillisecond, row.Queued);
}

/// <summary>What became of one session that was to move.</summary>
/// <param name="Owner">Origin, Destination, InDoubt or Nobody: who has it now.</param>
/// <param name="Failure">None, or why it has not moved.</param>
/// <param name="BlackoutUs">From the divert to the activation, in microseconds; null if it is not known.</param>
internal sealed record SessionReport(
    string Session, string Client, string Server, string Destination, string Owner, string Failure, string Detail, double? BlackoutUs, int Done, int Total)
{
    private const double NanosecondsPerMicrosecond = 1000;

    public static SessionReport Of(SessionMoved moved) => new(new Guid(moved.Session.Span).ToString(), moved.Client, moved.Server, moved.Destination, moved.Owner.ToString(),
        moved.Failure.Length == 0 ? "None" : moved.Failure, moved.Detail, moved.BlackoutNs == 0 ? null : moved.BlackoutNs / NanosecondsPerMicrosecond, (int)moved.Done, (int)moved.Total);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(ListenerReport))]
[JsonSerializable(typeof(ServerReport))]
[JsonSerializable(typeof(SessionReport))]
internal sealed partial class RelayJson : JsonSerializerContext;
