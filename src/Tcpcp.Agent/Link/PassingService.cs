using Grpc.Core;
using Tcpcp.Core.Wire;
using PassingBase = Tcpcp.Core.Wire.Passing.PassingBase;
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

    private static string PeerOf(ServerCallContext context)
    {
        PeerConnection? connection = context.GetHttpContext().Features.Get<PeerConnection>();
        if (connection?.Name is not { } name)
            throw new RpcException(new Status(StatusCode.Unauthenticated, "Agents are served over TLS, with a certificate."));
        connection.HasCalled = true;
        return name;
    }
}
