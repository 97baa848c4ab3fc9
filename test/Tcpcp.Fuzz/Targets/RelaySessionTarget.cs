using Google.Protobuf;
using Tcpcp.Core.Wire;
using Tcpcp.Relay.Sessions;

namespace Tcpcp.Fuzz.Targets;

/// <summary>The state of a session that another relay passes.</summary>
internal sealed class RelaySessionTarget : FuzzTarget
{
    public override string Name => "relay-session";

    public override IEnumerable<byte[]> Seeds()
    {
        RelaySession session = new()
        {
            Version = SessionWire.Version,
            Id = ByteString.CopyFrom(new byte[16]),
            Listener = "l",
            Pool = "p",
            Server = "s",
            Client = Samples.Tuple.Peer,
            AcceptedUs = 1,
            OpeningUs = 2,
            Passes = 3,
            ToServer = new RelayFlow { Pending = Samples.Id, ByteCount = 16 },
            ToClient = new RelayFlow { HasSourceEnded = true, HasEnded = true },
        };
        yield return session.ToByteArray();
        session.ToServer = null;
        yield return session.ToByteArray();
    }

    public override void Run(byte[] input)
    {
        RelaySession? session = SessionWire.Read(input, out string fault);
        if (session is null != fault.Length > 0)
            throw new InvalidOperationException($"It was {(session is null ? "refused" : "taken")}: '{fault}'.");
        if (session is null)
            return;
        SessionWire.AcceptedOf(session);
        SessionWire.ClientOf(session);
    }
}
