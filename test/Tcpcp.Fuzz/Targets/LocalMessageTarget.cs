using Google.Protobuf;
using Tcpcp.Core.Wire;
using Tcpcp.Linux.UnixSockets;
using Tcpcp.LocalApi;
using static Tcpcp.Core.Wire.LocalMessage;

namespace Tcpcp.Fuzz.Targets;

/// <summary>A message of the local API, of either side, and what the other side makes of it.</summary>
internal sealed class LocalMessageTarget : FuzzTarget
{
    public override string Name => "local-message";

    public override IEnumerable<byte[]> Seeds() => Messages().Select(message => message.ToByteArray());

    public static IEnumerable<LocalMessage> Messages()
    {
        LocalMessage[] messages =
        [
            new() { Hello = new Hello { Version = 1, Program = "p" } },
            new() { Register = new Register { Application = "echo" } },
            new() { Pass = new PassConnections { Application = "echo", Destination = "host-b", Epoch = 1 } },
            new() { Quiesced = new Quiesced { State = Samples.Id } },
            new() { Answer = new Answer { Objection = "no" } },
            new() { Known = new Known { Side = JournalSide.Destination, Application = "echo", Ticket = Samples.Ticket, Connections = { Samples.Tuple }, IsLive = true } },
            new() { Cancel = new CancelPass() },
            new() { WillPass = new WillPass { Passes = 1, Connections = 2 } },
            new() { ListPasses = new ListPasses { InDoubtOnly = true } },
            new() { Settle = new SettlePass { Way = SettlePass.Types.Way.Abandon } },
            new() { Drain = new Drain { Destinations = { "host-b" }, Applications = { "echo" }, Connections = { Samples.Tuple }, Rate = 5, ProcessId = 1 } },
            new() { StopDrain = new StopDrain() },
            new() { GetStatus = new GetStatus() },
            new() { Welcome = new Welcome { Version = 1, Host = "host-a", Incarnation = Samples.Id, Destinations = { "host-b" }, MaxRequests = 4 } },
            new() { Registered = new Registered() },
            new() { Failed = new Failed { Reason = "so" } },
            new() { Quiesce = new Quiesce { Destination = "host-b", Ticket = Samples.Ticket, Epoch = 2 } },
            new() { Passed = new Passed { Owner = PassOwner.Origin, Failure = "NotPassable", Detail = "d", BlackoutNs = 7 } },
            new() { Arriving = new Arriving { Application = "echo", Connections = { Samples.Tuple }, State = Samples.Id, Ticket = Samples.Ticket, Ended = { true } } },
            new() { Go = new Go { Ended = { true } } },
            new() { Withdrawn = new Withdrawn() },
            new() { PassWanted = new PassWanted { Application = "echo", Connections = { Samples.Tuple } } },
            new() { PassList = new PassList { Passes = { new OpenPass { PassId = Samples.Id, Side = JournalSide.Origin, State = "InDoubt", AgeMs = 5, Connections = { Samples.Tuple } } } } },
            new() { DrainProgress = new DrainProgress { Connection = Samples.Tuple, Owner = PassOwner.Destination, Done = 1, Total = 2, Address = Samples.Tuple.Local.Address } },
            new()
            {
                Status = new Status
                {
                    Host = "host-a",
                    Incarnation = Samples.Id,
                    UptimeMs = 5,
                    Applications = { new RegisteredApplication { Name = "echo" } },
                    Destinations = { new DestinationStatus { Name = "host-b", RoundTripNs = 5 } },
                    Redirectors = { new RedirectorStatus { Name = "g", OldestOrderNs = 6 } },
                },
            },
            new() { Settled = new Settled { Owner = PassOwner.Nobody, Failure = "Abandoned" } },
        ];
        foreach (LocalMessage message in messages)
        {
            (message.Request, message.PassId) = (1, Samples.Id);
            yield return message;
        }
    }

    public override void Run(byte[] input)
    {
        try
        {
            using LocalPacket packet = LocalPacket.Of(new ReceivedPacket(input, new ReceivedDescriptors([])));
            LocalMessage message = packet.Message;
            LocalWire.PassOf(message);
            switch (message.BodyCase)
            {
                case BodyOneofCase.Quiesced:
                    packet.ReadState(message.Quiesced.State, message.Quiesced.StateInDescriptor, sockets: 0);
                    break;
                case BodyOneofCase.Known:
                    LocalWire.TermsFrom(message.Known.Ticket, message.Known.Epoch);
                    LocalWire.ConnectionsFrom(message.Known.Connections);
                    break;
                case BodyOneofCase.Settle:
                    LocalWire.FromMessage(message.Settle.Way);
                    break;
                case BodyOneofCase.Drain:
                    DrainWire.ToMessage(DrainWire.FromMessage(message.Drain));
                    break;
                case BodyOneofCase.Quiesce:
                    LocalWire.TermsFrom(message.Quiesce.Ticket, message.Quiesce.Epoch);
                    break;
                case BodyOneofCase.Passed:
                    LocalWire.ResultFrom(message.Passed.Failure, message.Passed.Owner, message.Passed.Detail, message.Passed.BlackoutNs);
                    break;
                case BodyOneofCase.Arriving:
                    LocalWire.ConnectionsFrom(message.Arriving.Connections);
                    LocalWire.TermsFrom(message.Arriving.Ticket, message.Arriving.Epoch);
                    packet.ReadState(message.Arriving.State, message.Arriving.StateInDescriptor, message.Arriving.Connections.Count);
                    break;
                case BodyOneofCase.PassWanted:
                    LocalWire.ConnectionsFrom(message.PassWanted.Connections);
                    break;
                case BodyOneofCase.PassList:
                    foreach (OpenPass pass in message.PassList.Passes)
                        LocalWire.ToMessage(LocalWire.FromMessage(pass));
                    break;
                case BodyOneofCase.DrainProgress:
                    DrainWire.ToMessage(DrainWire.FromMessage(message.DrainProgress));
                    break;
                case BodyOneofCase.Status:
                    StatusWire.ToMessage(StatusWire.FromMessage(message.Status));
                    break;
                case BodyOneofCase.Settled:
                    LocalWire.ResultFrom(message.Settled.Failure, message.Settled.Owner, message.Settled.Detail);
                    break;
                default:
                    break;
            }
        }
        catch (PacketException)
        {
            // Refused.
        }
    }
}
