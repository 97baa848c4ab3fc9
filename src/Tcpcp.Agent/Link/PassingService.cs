using Grpc.Core;
using Tcpcp.Agent.Journal;
using Tcpcp.Agent.Redirection;
using Tcpcp.Core;
using Tcpcp.Core.Wire;
using PassingBase = Tcpcp.Core.Wire.Passing.PassingBase;
using KernelException = Tcpcp.Linux.KernelException;
using Status = Grpc.Core.Status;

namespace Tcpcp.Agent.Link;

/// <summary>What origins call, over connections whose certificates were verified.</summary>
internal sealed class PassingService(AgentServerOptions options, OpenLinks open, CancellationToken stopping) : PassingBase
{
    public override Task<PingReply> Ping(PingRequest request, ServerCallContext context)
    {
        PeerOf(context);
        return Task.FromResult(options.Describe());
    }

    public override async Task Forwarded(ForwardedRequest request, IServerStreamWriter<ForwardedReply> responseStream, ServerCallContext context)
    {
        string peer = PeerOf(context);
        IReadOnlyList<Redirection.ForwardedConnection> forwarded = Answer(() => options.Home()?.List(peer, ForwardingMessages.FromMessages(request.Connections))) ?? [];
        foreach (Redirection.ForwardedConnection[] part in forwarded.Chunk(HomeReports.MaxNamed))
            await responseStream.WriteAsync(new ForwardedReply { Connections = { part.Select(ForwardingMessages.ToMessage) } }, context.CancellationToken);
    }

    public override Task<EndedReply> Ended(EndedRequest request, ServerCallContext context)
    {
        string peer = PeerOf(context);
        IReadOnlyList<Core.FourTuple> standing = Answer(() => options.Home()?.End(peer, ForwardingMessages.FromMessages(request.Connections))) ?? [];
        return Task.FromResult(new EndedReply { Standing = { standing.Select(EndPointWire.ToMessage) } });
    }

    public override Task<RepointReply> Repoint(RepointRequest request, ServerCallContext context)
    {
        string peer = PeerOf(context);
        RepointAnswer answer = Answer(() => options.Home() is IForwardingHome home ? home.Repoint(peer, ForwardingMessages.FromMessage(request))
            : new RepointAnswer(0, "It forwards nothing: its redirection is another one."));
        return Task.FromResult(new RepointReply { Number = answer.Number, Obstacle = answer.Obstacle ?? "" });
    }

    public override Task<ClaimReply> Claim(ClaimRequest request, ServerCallContext context)
    {
        string peer = PeerOf(context);
        Answer(() =>
        {
            (options.Home() as IForwardingHome)?.Claim(peer, ForwardingMessages.FromMessages(request.Connections));
            return true;
        });
        return Task.FromResult(new ClaimReply());
    }

    public override Task<TakeAddressReply> TakeAddress(TakeAddressRequest request, ServerCallContext context)
    {
        string peer = PeerOf(context);
        string? obstacle = Answer(() =>
        {
            if (request.Address.Length is not (4 or 16))
                throw new InvalidSnapshotException("An address has 4 or 16 bytes.");
            AddressPorts ports = new(PortsFrom(request.Ports), PortsFrom(request.OpenedPorts));
            return options.Home() is IForwardingHome home ? home.TakeAddress(
                    peer, new System.Net.IPAddress(request.Address.Span), ports, ForwardingMessages.FromMessages(request.Staying), request.IsQuestion)
                : "It takes no address: its redirection is another one.";
        });
        return Task.FromResult(new TakeAddressReply { Obstacle = obstacle ?? "" });
    }

    private static int[] PortsFrom(IEnumerable<uint> ports) =>
        [.. ports.Select(port => port is > 0 and <= ushort.MaxValue ? (int)port : throw new InvalidSnapshotException($"{port} is no port."))];

    public override async Task Exchange(IAsyncStreamReader<PassMessage> requestStream, IServerStreamWriter<PassMessage> responseStream, ServerCallContext context)
    {
        string peer = PeerOf(context);
        using CancellationTokenSource ending = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, stopping);
        using ServedStreamLink link = new(requestStream, responseStream, ending.Token);
        open.AddStream();
        try
        {
            await context.WriteResponseHeadersAsync([]); // the origin waits for them: it is let in
            string? refusal = await options.Serve(link, peer, ending.Token) ?? link.Refusal;
            await link.EndAsync();
            if (refusal is null)
                return;
            options.Observer(new LinkEvent(LinkEventKind.StreamRefused, peer, refusal));
            throw new RpcException(new Status(StatusCode.InvalidArgument, refusal));
        }
        finally
        {
            open.RemoveStream();
        }
    }

    /// <summary>What goes wrong becomes a status that says it.</summary>
    public static T Answer<T>(Func<T> answer)
    {
        try
        {
            return answer();
        }
        catch (InvalidSnapshotException e)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, e.Message));
        }
        catch (Exception e) when (e is KernelException or JournalFullException)
        {
            throw new RpcException(new Status(StatusCode.Internal, e.Message)); // asked again
        }
        catch (UnauthorizedAccessException e)
        {
            throw new RpcException(new Status(StatusCode.PermissionDenied, e.Message));
        }
        catch (InvalidOperationException e)
        {
            throw new RpcException(new Status(StatusCode.FailedPrecondition, e.Message));
        }
    }

    /// <summary>The name of the caller's certificate.</summary>
    public static string PeerOf(ServerCallContext context)
    {
        PeerConnection? connection = context.GetHttpContext().Features.Get<PeerConnection>();
        if (connection?.Name is not { } name)
            throw new RpcException(new Status(StatusCode.Unauthenticated, "Agents are served over TLS, with a certificate."));
        connection.HasCalled = true;
        return name;
    }
}
