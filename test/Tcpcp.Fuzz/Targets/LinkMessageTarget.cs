using Google.Protobuf;
using Tcpcp.Agent.Link;
using Tcpcp.Agent.Passing;
using Tcpcp.Core;
using Tcpcp.Core.Wire;
using Tcpcp.Fuzz.Fuzzing;
using FourTuple = Tcpcp.Core.FourTuple;

namespace Tcpcp.Fuzz.Targets;

/// <summary>A message between agents, and its conversion. The input's fields: 1 which message, by its number below, 2 the message.</summary>
internal sealed class LinkMessageTarget : FuzzTarget
{
    private const int MaxQueueBytes = 64 << 20;

    private static readonly FourTuple[] s_offered = [Samples.Connections[0], Samples.Connections[1]];

    private static readonly Action<byte[]>[] s_read =
    [
        bytes => Read(PassMessage.Parser.ParseFrom(bytes)),
        bytes => OfferedSnapshots.Of(Transfer.Parser.ParseFrom(bytes), s_offered, MaxQueueBytes),
        bytes => ForwardingMessages.FromMessages(ForwardedRequest.Parser.ParseFrom(bytes).Connections),
        bytes => ForwardingMessages.FromMessages(ForwardedReply.Parser.ParseFrom(bytes).Connections),
        bytes => ForwardingMessages.FromMessages(EndedReply.Parser.ParseFrom(bytes).Standing),
        bytes => ForwardingMessages.ToMessage(ForwardingMessages.FromMessage(RepointRequest.Parser.ParseFrom(bytes))),
        bytes => ForwardingMessages.FromMessages(TakeAddressRequest.Parser.ParseFrom(bytes).Staying),
        bytes => _ = RedirectRequest.Parser.ParseFrom(bytes) is { } request && ForwardingMessages.FromMessages(request.Connections).Count == request.Numbers.Count,
        bytes => _ = OwnedRequest.Parser.ParseFrom(bytes).Services.Select(RedirectionMessages.FromMessage).Select(RedirectionMessages.ToMessage).ToArray(),
        bytes => _ = OwnedReply.Parser.ParseFrom(bytes).Connections.Select(RedirectionMessages.FromMessage).ToArray(),
    ];

    public override string Name => "link-message";

    public override IEnumerable<byte[]> Seeds()
    {
        ForwardedConnection forwarded = new() { Connection = Samples.Tuple, Number = 4, IsContested = true };
        Core.Wire.ConnectionSnapshot[] snapshots = [.. Samples.Snapshots()];
        IMessage[] bodies =
        [
            new Offer { Connections = { Samples.Tuple }, Application = "echo", QueueBytes = { 5 }, Epoch = 1, Redirector = Redirector.Home, Home = "*" },
            new Ready { OfferLifetimeMs = 10_000 }, new Refused { Reason = RefusalReason.Policy, Detail = "d" }, new Divert { Number = 2 }, new Diverted { Number = 2 },
            new TransferChunk { Data = Samples.Id, Last = true, StoodStillUs = 5 }, new Verdict { Kind = VerdictKind.Refused, Reason = RefusalReason.Invalid }, new Active(),
            new Undo { Number = 3, Connections = { Samples.Tuple } }, new HeldPackets { Packets = { Samples.Id } }, new Undone(), new Resolve(), new Forget { Connections = { Samples.Tuple } },
            new Forgotten(), new Hangup(),
        ];
        foreach (IMessage body in bodies)
        {
            PassMessage message = new() { PassId = Samples.Id, Ticket = Samples.Ticket };
            PassMessage.Descriptor.Oneofs[0].Fields.First(field => field.MessageType == body.Descriptor).Accessor.SetValue(message, body);
            yield return Of(0, message);
        }

        yield return Of(1, new Transfer { Epoch = 1, Connections = { snapshots[0], snapshots[1] }, ApplicationState = Samples.Id });
        yield return Of(2, new ForwardedRequest { Connections = { Samples.Tuple } });
        yield return Of(3, new ForwardedReply { Connections = { forwarded } });
        yield return Of(4, new EndedReply { Standing = { Samples.Tuple } });
        yield return Of(5, new RepointRequest { PassId = Samples.Id, Connections = { Samples.Tuple }, Host = "c", Number = 6, PacketBytes = 1500 });
        yield return Of(6, new TakeAddressRequest { Address = Samples.Tuple.Local.Address, Ports = { 80 }, OpenedPorts = { 40000 }, Staying = { Samples.Tuple } });
        yield return Of(7, new RedirectRequest { Connections = { Samples.Tuple }, Numbers = { 7 }, Host = "b" });
        yield return Of(8, new OwnedRequest { Services = { new ServicePorts { Address = Samples.Tuple.Local.Address, FirstPort = 80, LastPort = 81 } } });
        yield return Of(9, new OwnedReply { Connections = { new OwnedConnection { Connection = Samples.Tuple, Number = 3 } } });
    }

    public override void Run(byte[] input)
    {
        if (WireFields.Read(input) is not { } fields)
            return;
        try
        {
            s_read[fields.FirstOrDefault(field => field.Number == 1).Value % (ulong)s_read.Length](fields.LastOrDefault(field => field is { Number: 2, Type: 2 }).Content ?? []);
        }
        catch (Exception e) when (e is InvalidSnapshotException or InvalidProtocolBufferException)
        {
            // Refused.
        }
    }

    private static void Read(PassMessage message)
    {
        PassMessages.IdOf(message);
        PassMessages.TicketOf(message);
        foreach (Core.Wire.FourTuple connection in (message.Offer?.Connections ?? []).Concat(message.Undo?.Connections ?? []).Concat(message.Forget?.Connections ?? []))
            EndPointWire.FromMessage(connection);
        if (message.Verdict is { } verdict)
            _ = (VerdictMessages.KindOf(verdict), RefusalReasons.ToFailure(verdict.Reason), TimeSpan.FromTicks((long)(verdict.BlackoutNs / 100)));
    }

    private static byte[] Of(ulong number, IMessage message) => WireFields.Write([WireField.Of(1, number), WireField.Of(2, message.ToByteArray())]);
}
