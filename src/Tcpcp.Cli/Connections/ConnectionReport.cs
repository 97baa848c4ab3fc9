using System.Text.Json.Serialization;
using Tcpcp.Linux.Diagnostics;

namespace Tcpcp.Cli.Connections;

/// <summary>One connection as <c>tcpcp list --json</c> prints it, with snake_case names.</summary>
internal sealed record ConnectionReport
{
    /// <summary>LOCAL-PEER.</summary>
    public required string Connection { get; init; }

    public required string Local { get; init; }

    public required string Peer { get; init; }

    public required string State { get; init; }

    /// <summary>ipv4, ipv6, or v4-mapped: an IPv6 socket that carries IPv4.</summary>
    public required string Family { get; init; }

    public required uint UnreadBytes { get; init; }

    public required uint UnacknowledgedBytes { get; init; }

    public required uint UserId { get; init; }

    public required uint Inode { get; init; }

    /// <summary>SO_MARK; null without CAP_NET_ADMIN.</summary>
    public required uint? Mark { get; init; }

    /// <summary>Behind the gate: frozen or dormant.</summary>
    public required bool Gated { get; init; }

    public required bool Passable { get; init; }

    public required string? NotPassableBecause { get; init; }

    public required IReadOnlyList<OwnerReport> Owners { get; init; }

    public static ConnectionReport Of(ListedSocket socket, IReadOnlyList<SocketOwner> owners)
    {
        string? reason = PassableByState.ReasonAgainst(socket);
        return new ConnectionReport
        {
            Connection = socket.Connection.ToString(),
            Local = socket.Connection.Local.ToString(),
            Peer = socket.Connection.Peer.ToString(),
            State = StateNames.Of(socket.State),
            Family = !socket.IPv6Socket ? "ipv4" : socket.V4Mapped ? "v4-mapped" : "ipv6",
            UnreadBytes = socket.UnreadBytes,
            UnacknowledgedBytes = socket.UnacknowledgedBytes,
            UserId = socket.UserId,
            Inode = socket.Inode,
            Mark = socket.Mark,
            Gated = PassableByState.IsGated(socket),
            Passable = reason is null,
            NotPassableBecause = reason,
            Owners = [.. owners.Select(owner => new OwnerReport(owner.ProcessId, owner.Descriptor, owner.Command))],
        };
    }
}

/// <summary>A process that holds the connection.</summary>
internal sealed record OwnerReport(int Pid, int Descriptor, string Command)
{
    public override string ToString() => $"{Command} pid:{Pid}/{Descriptor}";
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true)]
[JsonSerializable(typeof(IReadOnlyList<ConnectionReport>))]
[JsonSerializable(typeof(ConnectionDetailsReport))]
internal sealed partial class ConnectionJson : JsonSerializerContext;
