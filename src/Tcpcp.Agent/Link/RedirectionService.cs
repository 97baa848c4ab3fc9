using Google.Protobuf;
using Grpc.Core;
using Tcpcp.Agent.Redirection;
using Tcpcp.Core.Wire;
using Status = Grpc.Core.Status;
using OwnershipBase = Tcpcp.Core.Wire.Ownership.OwnershipBase;
using RedirectionBase = Tcpcp.Core.Wire.Redirection.RedirectionBase;

namespace Tcpcp.Agent.Link;

/// <summary>What origins call of a redirector.</summary>
internal sealed class RedirectionService(AgentServerOptions options) : RedirectionBase
{
    public override Task<ExamineReply> Examine(ExamineRequest request, ServerCallContext context)
    {
        string peer = PassingService.PeerOf(context);
        return Task.FromResult(PassingService.Answer(() =>
        {
            (string? obstacle, ulong lastNumber) = Redirector.Examine(peer, ForwardingMessages.FromMessages(request.Connections), request.Host);
            return new ExamineReply { Obstacle = obstacle ?? "", LastNumber = lastNumber };
        }));
    }

    public override Task<RedirectReply> Redirect(RedirectRequest request, ServerCallContext context)
    {
        string peer = PassingService.PeerOf(context);
        if (request.Numbers.Count != request.Connections.Count)
            throw new RpcException(new Status(StatusCode.InvalidArgument, "Every connection needs its number."));
        return Task.FromResult(PassingService.Answer(() => new RedirectReply
        {
            Numbers = { Redirector.Redirect(peer, ForwardingMessages.FromMessages(request.Connections), request.Numbers, request.Host, request.Settled) },
            Incarnation = ByteString.CopyFrom(Redirector.Incarnation.ToByteArray()),
        }));
    }

    private IRedirectorService Redirector => options.Redirector()
        ?? throw new RpcException(new Status(StatusCode.FailedPrecondition, "This agent redirects nothing for others: see \"role\" in its configuration."));
}

/// <summary>What redirectors call of a host.</summary>
internal sealed class OwnershipService(AgentServerOptions options) : OwnershipBase
{
    public override async Task Owned(OwnedRequest request, IServerStreamWriter<OwnedReply> responseStream, ServerCallContext context)
    {
        string peer = PassingService.PeerOf(context);
        IReadOnlyList<Redirection.OwnedConnection> owned = PassingService.Answer(() =>
            options.Ownership() is { } service ? service.List(peer, [.. request.Services.Select(RedirectionMessages.FromMessage)]) : []);
        foreach (Redirection.OwnedConnection[] part in owned.Chunk(HomeReports.MaxNamed))
            await responseStream.WriteAsync(new OwnedReply { Connections = { part.Select(RedirectionMessages.ToMessage) } }, context.CancellationToken);
    }
}
