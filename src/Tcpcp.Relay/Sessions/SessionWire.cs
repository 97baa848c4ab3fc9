using System.Net;
using Google.Protobuf;
using Tcpcp.Core;
using Tcpcp.Core.Wire;

namespace Tcpcp.Relay.Sessions;

/// <summary>What goes with a session that is passed, as bytes.</summary>
internal static class SessionWire
{
    /// <summary>A relay takes sessions of this version only.</summary>
    public const uint Version = 1;

    private const int MaxPendingBytes = 4 << 20;

    /// <summary>Of a session that stands still. On its loop's thread.</summary>
    /// <param name="hosts">How many hosts it goes on by this.</param>
    public static ReadOnlyMemory<byte> Write(Session session, int hosts)
    {
        SessionIdentity identity = session.Identity;
        return new RelaySession
        {
            Version = Version,
            Id = ByteString.CopyFrom(identity.Id.ToByteArray()),
            Listener = identity.ClientPlace.Listener.Name,
            Pool = identity.ServerPlace.Pool.Name,
            Server = identity.ServerPlace.Server.Name,
            Client = new Core.Wire.EndPoint { Address = ByteString.CopyFrom(identity.Client.Address.GetAddressBytes()), Port = (uint)identity.Client.Port },
            AcceptedUs = (identity.Accepted - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond,
            OpeningUs = (long)identity.Opening.TotalMicroseconds,
            Passes = (uint)(identity.Passes + hosts),
            ToServer = ToMessage(session.ToServer),
            ToClient = ToMessage(session.ToClient),
        }.ToByteArray();
    }

    /// <param name="fault">Why it cannot be taken, in one sentence.</param>
    /// <returns>Null if it cannot be taken.</returns>
    public static RelaySession? Read(ReadOnlyMemory<byte> state, out string fault)
    {
        RelaySession session;
        try
        {
            session = RelaySession.Parser.ParseFrom(state.Span);
        }
        catch (InvalidProtocolBufferException)
        {
            fault = "The state is not that of a relay's session.";
            return null;
        }

        fault = session.Version != Version ? $"The session's state is of version {session.Version}; this relay knows version {Version}: upgrade the older one of both."
            : session.Id.Length != 16 || session.Client is not { Port: <= ushort.MaxValue } client || client.Address.Length is not (4 or 16)
                || session.ToServer is null || session.ToClient is null || session.Passes > int.MaxValue || !IsTime(session.AcceptedUs) || session.OpeningUs is < 0 or > int.MaxValue
                ? "The session's state lacks what belongs to it."
            : session.ToServer.Pending.Length > MaxPendingBytes || session.ToClient.Pending.Length > MaxPendingBytes ? $"More than {MaxPendingBytes} bytes are under way in the session."
            : "";
        return fault.Length == 0 ? session : null;
    }

    /// <summary>The client's name, of a state that has been read.</summary>
    public static IPEndPoint ClientOf(RelaySession state) => new(EndPointWire.AddressFrom(state.Client.Address), (int)state.Client.Port);

    /// <summary>When the client was accepted, of a state that has been read.</summary>
    public static DateTimeOffset AcceptedOf(RelaySession state) => DateTimeOffset.UnixEpoch + TimeSpan.FromMicroseconds(state.AcceptedUs);

    /// <summary>Takes up what was under way.</summary>
    public static void Begin(Flow flow, RelayFlow message) => flow.Begin(message.Pending.Span, (long)message.ByteCount, message.HasSourceEnded, message.HasEnded);

    private static bool IsTime(long microseconds) => microseconds is >= 0 && microseconds / 1000 <= DateTimeOffset.MaxValue.ToUnixTimeMilliseconds();

    private static RelayFlow ToMessage(Flow flow) => new()
    {
        Pending = ByteString.CopyFrom(flow.Pending),
        ByteCount = (ulong)flow.Bytes,
        HasSourceEnded = flow.HasSourceEnded,
        HasEnded = flow.HasEnded,
    };
}
