using Tcpcp.Core;
using Tcpcp.Core.Wire;
using Tcpcp.LocalApi;

namespace Tcpcp.Agent.Local;

/// <summary>The messages that an agent sends.</summary>
internal static class LocalMessages
{
    /// <param name="reason">One sentence that says what to do.</param>
    public static LocalMessage Failed(LocalMessage? question, string reason) => new()
    {
        Request = question?.Request ?? 0,
        PassId = question?.PassId ?? Google.Protobuf.ByteString.Empty,
        Failed = new Failed { Reason = reason },
    };

    public static LocalMessage Welcome(LocalServices services, LocalServerOptions options)
    {
        Welcome welcome = new()
        {
            Version = LocalProtocol.Version,
            AgentVersion = services.Version,
            Host = services.Host,
            Incarnation = Google.Protobuf.ByteString.CopyFrom(services.Incarnation.ToByteArray()),
            MaxRequests = (uint)options.MaxRequests,
        };
        welcome.Destinations.Add(services.Destinations());
        return new LocalMessage { Welcome = welcome };
    }

    public static LocalMessage Passed(ulong request, PassId? pass, PassResult result)
    {
        LocalMessage message = new()
        {
            Request = request,
            Passed = new Passed
            {
                Failure = LocalWire.ToMessage(result.Failure),
                Owner = LocalWire.ToMessage(result.Owner),
                Detail = result.Detail,
                BlackoutNs = LocalWire.Nanoseconds(result.Blackout),
            },
        };
        if (pass is { } id)
            message.PassId = LocalWire.ToBytes(id);
        return message;
    }

    public static LocalMessage Go(PassId pass, IReadOnlyList<bool> ended)
    {
        LocalMessage message = new() { PassId = LocalWire.ToBytes(pass), Go = new Go() };
        if (ended.Contains(true))
            message.Go.Ended.Add(ended);
        return message;
    }

    public static LocalMessage Withdrawn(PassId pass) => new() { PassId = LocalWire.ToBytes(pass), Withdrawn = new Withdrawn() };

    public static LocalMessage Quiesce(ulong request, Passing.PassNote note) => new()
    {
        Request = request,
        PassId = LocalWire.ToBytes(note.Pass),
        Quiesce = new Quiesce { Destination = note.Destination, Ticket = LocalWire.ToMessage(note.Ticket), Epoch = note.Epoch },
    };
}
