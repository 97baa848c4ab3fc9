using Google.Protobuf;
using Google.Protobuf.Collections;
using Tcpcp.Agent.Passing;
using Tcpcp.Agent.Redirection;
using Tcpcp.Core;
using Tcpcp.Core.Passing;
using Tcpcp.Core.Wire;
using ForwardedConnection = Tcpcp.Agent.Redirection.ForwardedConnection;
using FourTuple = Tcpcp.Core.FourTuple;

namespace Tcpcp.Agent.Link;

/// <summary>The messages about what a home forwards.</summary>
internal static class ForwardingMessages
{
    public static Core.Wire.ForwardedConnection ToMessage(ForwardedConnection forwarded) => new()
    {
        Connection = EndPointWire.ToMessage(forwarded.Connection),
        Number = forwarded.Number,
        IsContested = forwarded.IsContested,
        MovedBy = forwarded.MovedBy is { } pass ? PassMessages.ToBytes(pass) : ByteString.Empty,
    };

    public static RepointRequest ToMessage(RepointOrder order) => new()
    {
        PassId = PassMessages.ToBytes(order.Pass),
        Connections = { order.Connections.Select(EndPointWire.ToMessage) },
        Host = order.Host,
        Number = order.Number,
        IsQuestion = order.IsQuestion,
        PacketBytes = (uint)order.PacketBytes,
        IsSettled = order.IsSettled,
    };

    /// <inheritdoc cref="FromMessages(RepeatedField{Core.Wire.FourTuple})"/>
    public static RepointOrder FromMessage(RepointRequest order) => new(
        order.PassId.Length == 16 ? new PassId(new Guid(order.PassId.Span)) : throw new InvalidSnapshotException("A redirection names no pass."),
        order.Connections.Count > 0 ? FromMessages(order.Connections) : throw new InvalidSnapshotException("A redirection names no connection."),
        order.Host, order.Number, order.IsQuestion) { PacketBytes = (int)Math.Min(order.PacketBytes, ushort.MaxValue), IsSettled = order.IsSettled };

    /// <exception cref="InvalidSnapshotException">They are no connections, or too many.</exception>
    public static IReadOnlyList<FourTuple> FromMessages(RepeatedField<Core.Wire.FourTuple> connections) =>
        [.. Checked(connections).Select(EndPointWire.FromMessage)];

    /// <inheritdoc cref="FromMessages(RepeatedField{Core.Wire.FourTuple})"/>
    public static IReadOnlyList<ForwardedConnection> FromMessages(RepeatedField<Core.Wire.ForwardedConnection> connections) =>
        [.. Checked(connections).Select(one => new ForwardedConnection(
            EndPointWire.FromMessage(one.Connection ?? throw new InvalidSnapshotException("A forwarded connection lacks its name.")), one.Number, one.IsContested)
        {
            MovedBy = one.MovedBy.Length == 16 ? new PassId(new Guid(one.MovedBy.Span)) : null,
        })];

    private static RepeatedField<T> Checked<T>(RepeatedField<T> named) => named.Count <= HomeReports.MaxNamed ? named
        : throw new InvalidSnapshotException($"A message names {named.Count} connections; the limit is {HomeReports.MaxNamed}.");
}
