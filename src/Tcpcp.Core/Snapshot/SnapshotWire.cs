using System.Net;
using Google.Protobuf;
using Tcpcp.Core.Wire;

namespace Tcpcp.Core;

/// <summary>The protobuf form of a snapshot (proto/tcpcp/v1/connection.proto) and back.</summary>
internal static class SnapshotWire
{
    public const uint VersionMajor = 1;
    public const uint VersionMinor = 0;

    public static Wire.ConnectionSnapshot ToMessage(ConnectionSnapshot snapshot) => new()
    {
        VersionMajor = VersionMajor,
        VersionMinor = VersionMinor,
        Local = EndPointWire.ToMessage(snapshot.Connection.Local),
        Peer = EndPointWire.ToMessage(snapshot.Connection.Peer),
        V4Mapped = snapshot.IsV4Mapped,
        State = (Wire.TcpState)snapshot.State,
        Ipv6ScopeId = ScopeOf(snapshot.Connection),
        Send = new SendSpace
        {
            Una = snapshot.SndUna.Value,
            Nxt = snapshot.SndNxt.Value,
            WriteSeq = snapshot.WriteSeq.Value,
            Sent = UnsafeByteOperations.UnsafeWrap(snapshot.Sent),
            Unsent = UnsafeByteOperations.UnsafeWrap(snapshot.Unsent),
            FinWritten = snapshot.FinWritten,
        },
        Receive = new ReceiveSpace
        {
            Nxt = snapshot.RcvNxt.Value,
            Unread = UnsafeByteOperations.UnsafeWrap(snapshot.Unread),
            FinReceived = snapshot.FinReceived,
        },
        Window = new Window
        {
            SndWl1 = snapshot.Window.SndWl1.Value,
            SndWnd = snapshot.Window.SndWnd,
            MaxWindow = snapshot.Window.MaxWindow,
            RcvWnd = snapshot.Window.RcvWnd,
            RcvWup = snapshot.Window.RcvWup.Value,
        },
        Negotiated = new Wire.NegotiatedOptions
        {
            MssClamp = (uint)snapshot.Negotiated.MssClamp,
            SendMss = (uint)snapshot.Negotiated.SendMss,
            WindowScaling = snapshot.Negotiated.WindowScaling,
            SndWscale = snapshot.Negotiated.SndWscale,
            RcvWscale = snapshot.Negotiated.RcvWscale,
            Sack = snapshot.Negotiated.Sack,
            Timestamps = snapshot.Negotiated.Timestamps,
            Ecn = snapshot.Negotiated.Ecn,
        },
        Timestamps = new Timestamps
        {
            Value = snapshot.Timestamps.Value,
            Microseconds = snapshot.Timestamps.Microseconds,
            AheadUs = (uint)snapshot.Timestamps.Ahead.TotalMicroseconds,
        },
        Options = SocketOptionsWire.ToMessage(snapshot.Options),
        Congestion = ToMessage(snapshot.Congestion),
        ForwardedBy = snapshot.ForwardedBy is { } host ? ByteString.CopyFrom(host.GetAddressBytes()) : ByteString.Empty,
        Epoch = snapshot.Epoch,
    };

    /// <summary>Reads a message that anybody may have made; the result is whole but not yet validated.</summary>
    /// <exception cref="InvalidSnapshotException">A part is missing or out of range, or the major version is newer than this library.</exception>
    public static ConnectionSnapshot FromMessage(Wire.ConnectionSnapshot message)
    {
        if (message.VersionMajor != VersionMajor)
            throw new InvalidSnapshotException($"The snapshot has format version {message.VersionMajor}.{message.VersionMinor}; " +
                $"this tcpcp reads {VersionMajor}.x. Upgrade the older side first.");
        if (message.Local is null || message.Peer is null || message.Send is null || message.Receive is null || message.Window is null
            || message.Negotiated is null || message.Options is null)
            throw new InvalidSnapshotException("The snapshot lacks a part.");
        if (message.Negotiated.SndWscale > 14 || message.Negotiated.RcvWscale > 14)
            throw new InvalidSnapshotException("The snapshot has a window scale greater than 14.");
        if (message.Options.TypeOfService > byte.MaxValue)
            throw new InvalidSnapshotException("The snapshot has a type of service greater than 255.");
        Congestion congestion = message.Congestion ?? new Congestion();
        return new ConnectionSnapshot
        {
            Connection = FourTupleFrom(message),
            IsV4Mapped = message.V4Mapped,
            State = (TcpState)message.State,
            SndUna = new SequenceNumber(message.Send.Una),
            SndNxt = new SequenceNumber(message.Send.Nxt),
            WriteSeq = new SequenceNumber(message.Send.WriteSeq),
            Sent = message.Send.Sent.Memory,
            Unsent = message.Send.Unsent.Memory,
            FinWritten = message.Send.FinWritten,
            RcvNxt = new SequenceNumber(message.Receive.Nxt),
            Unread = message.Receive.Unread.Memory,
            FinReceived = message.Receive.FinReceived,
            Window = new RepairWindow(new SequenceNumber(message.Window.SndWl1), message.Window.SndWnd, message.Window.MaxWindow,
                message.Window.RcvWnd, new SequenceNumber(message.Window.RcvWup)),
            Negotiated = new NegotiatedOptions(IntFrom(message.Negotiated.MssClamp), IntFrom(message.Negotiated.SendMss),
                message.Negotiated.WindowScaling, (byte)message.Negotiated.SndWscale, (byte)message.Negotiated.RcvWscale,
                message.Negotiated.Sack, message.Negotiated.Timestamps, message.Negotiated.Ecn),
            Timestamps = new TimestampClock(message.Timestamps?.Value ?? 0, message.Timestamps?.Microseconds ?? false,
                TimeSpan.FromMicroseconds(message.Timestamps?.AheadUs ?? 0)),
            Options = SocketOptionsWire.FromMessage(message.Options),
            Congestion = new CongestionState(congestion.Algorithm, (int)Math.Min(congestion.Window, int.MaxValue),
                (int)Math.Min(congestion.SlowStartThreshold, int.MaxValue),
                TimeSpan.FromMicroseconds(congestion.RttUs), TimeSpan.FromMicroseconds(congestion.MinRttUs), congestion.DeliveryRate,
                congestion.PacingRate, (CongestionStart)congestion.Start),
            ForwardedBy = message.ForwardedBy.IsEmpty ? null : EndPointWire.AddressFrom(message.ForwardedBy),
            Epoch = message.Epoch,
        };
    }

    /// <summary>A number that must fit an int; one that does not becomes -1, which the validator refuses by name.</summary>
    internal static int IntFrom(uint value) => value > int.MaxValue ? -1 : (int)value;

    private static FourTuple FourTupleFrom(Wire.ConnectionSnapshot message)
    {
        IPEndPoint local = EndPointWire.FromMessage(message.Local);
        IPEndPoint peer = EndPointWire.FromMessage(message.Peer);
        if (local.AddressFamily != peer.AddressFamily)
            throw new InvalidSnapshotException("The snapshot has ends of different address families.");
        return new FourTuple(WithScope(local, message.Ipv6ScopeId), WithScope(peer, message.Ipv6ScopeId));
    }

    // Both ends are on one interface, so that one number is enough; an end that is not link-local has none.
    private static uint ScopeOf(FourTuple connection) => !connection.IsIPv6 ? 0
        : (uint)(connection.Local.Address.ScopeId != 0 ? connection.Local.Address.ScopeId : connection.Peer.Address.ScopeId);

    private static IPEndPoint WithScope(IPEndPoint end, uint scope) =>
        end.Address.IsIPv6LinkLocal ? new IPEndPoint(new IPAddress(end.Address.GetAddressBytes(), scope), end.Port) : end;

    private static Congestion ToMessage(CongestionState congestion) => new()
    {
        Algorithm = congestion.Algorithm ?? "",
        Window = (uint)congestion.WindowSegments,
        SlowStartThreshold = (uint)congestion.SlowStartThreshold,
        RttUs = (uint)congestion.Rtt.TotalMicroseconds,
        MinRttUs = (uint)congestion.MinRtt.TotalMicroseconds,
        DeliveryRate = congestion.DeliveryRate,
        PacingRate = congestion.PacingRate,
        Start = (Wire.CongestionStart)congestion.Start,
    };
}
