using Grpc.Core;
using Tcpcp.Core.Wire;

namespace Tcpcp.Agent.Link;

/// <summary>The destination's end of a stream that carries the messages of all passes from one origin.</summary>
internal sealed class ServedStreamLink : IPassLink
{
    /// <summary>What may wait for an origin that does not read: what was held for passes that are undone together. Then the stream is given up: nobody may wait for it here.</summary>
    private const long MaxQueuedBytes = 256 << 20;

    private readonly IAsyncStreamReader<PassMessage> _incoming;
    private readonly OutgoingMessages _outgoing;
    private readonly CancellationTokenSource _ending;

    public ServedStreamLink(IAsyncStreamReader<PassMessage> incoming, IServerStreamWriter<PassMessage> outgoing, CancellationToken cancellationToken)
    {
        _incoming = incoming;
        _ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        _outgoing = new OutgoingMessages(outgoing, MaxQueuedBytes, TimeSpan.Zero, _ => Dispose());
    }

    /// <summary>What came that is no message; null if nothing.</summary>
    public string? Refusal { get; private set; }

    public void Send(PassMessage message) => _outgoing.Send(message);

    public async ValueTask<PassMessage?> ReceiveAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await _incoming.MoveNext(_ending.Token) ? _incoming.Current : null;
        }
        catch (RpcException e) when (e.StatusCode is StatusCode.ResourceExhausted)
        {
            Refusal = $"It sent a message that is larger than {StreamLink.MaxMessageBytes} bytes.";
            throw new LinkException(Refusal, e);
        }
        catch (Exception e) when (e is not OperationCanceledException and not IOException || e is Google.Protobuf.InvalidProtocolBufferException)
        {
            Refusal = $"It sent something that is not a message of a pass: {e.Message}";
            throw new LinkException(Refusal, e);
        }
        catch (Exception e)
        {
            throw new LinkException("The link to the other agent broke.", e);
        }
    }

    /// <summary>Returns when what was sent is on its way.</summary>
    public Task EndAsync() => _outgoing.EndAsync(new LinkException("The link to the other agent was closed."));

    public void Dispose() => _ending.Cancel();
}
