using Google.Protobuf.Collections;
using Tcpcp.Agent.Redirection;
using Tcpcp.Core;

namespace Tcpcp.Agent.Link;

/// <summary>The messages about what a home forwards.</summary>
internal static class ForwardingMessages
{
    public static Core.Wire.ForwardedConnection ToMessage(ForwardedConnection forwarded) =>
        new() { Connection = EndPointWire.ToMessage(forwarded.Connection), Number = forwarded.Number };

    /// <exception cref="InvalidSnapshotException">They are no connections, or too many.</exception>
    public static IReadOnlyList<FourTuple> FromMessages(RepeatedField<Core.Wire.FourTuple> connections) =>
        [.. Checked(connections).Select(EndPointWire.FromMessage)];

    /// <inheritdoc cref="FromMessages(RepeatedField{Core.Wire.FourTuple})"/>
    public static IReadOnlyList<ForwardedConnection> FromMessages(RepeatedField<Core.Wire.ForwardedConnection> connections) =>
        [.. Checked(connections).Select(one => new ForwardedConnection(
            EndPointWire.FromMessage(one.Connection ?? throw new InvalidSnapshotException("A forwarded connection lacks its name.")), one.Number))];

    private static RepeatedField<T> Checked<T>(RepeatedField<T> named) => named.Count <= HomeReports.MaxNamed ? named
        : throw new InvalidSnapshotException($"A message names {named.Count} connections; the limit is {HomeReports.MaxNamed}.");
}
