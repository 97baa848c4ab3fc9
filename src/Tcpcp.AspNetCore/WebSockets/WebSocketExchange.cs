using Google.Protobuf;
using Microsoft.AspNetCore.Http;
using Tcpcp.AspNetCore.Passing;
using Tcpcp.AspNetCore.Responses;
using Tcpcp.AspNetCore.Transport;
using Tcpcp.Core.Wire;

namespace Tcpcp.AspNetCore.WebSockets;

/// <summary>A WebSocket of a connection that can be passed.</summary>
/// <param name="terms">What was agreed with the client.</param>
/// <param name="obstacle">Why it cannot be passed; null: it can.</param>
internal sealed class WebSocketExchange(
    HttpContext context, PassableConnection connection, PassableWebSocketOptions options, ServerWebSocket terms, ServerExchange? arrived, string? obstacle)
    : PassableExchange(connection, arrived)
{
    private readonly TaskCompletionSource<PassableWebSocket> _open = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private PassableWebSocket? _stopped;
    private bool _hasGivenState;

    /// <summary>The upgrade is done: messages come.</summary>
    public void Begin(PassableWebSocket socket) => _open.TrySetResult(socket);

    public override async Task<ServerExchange?> QuiesceAsync(CancellationToken cancellationToken)
    {
        if (obstacle is not null)
            throw new PassRefusedException(obstacle);
        PassableWebSocket socket = await _open.Task.WaitAsync(cancellationToken);
        ServerExchange state = NewState(context);
        await Connection.Input.HoldAsync().WaitAsync(cancellationToken);
        ServerWebSocket webSocket = terms.Clone();
        _hasGivenState = true;
        webSocket.State = UnsafeByteOperations.UnsafeWrap(await options.GetStateAsync(cancellationToken));
        string? fault = await socket.StopSendingAsync(cancellationToken);
        _stopped = socket;
        if (fault is not null)
            throw new PassRefusedException(fault);
        state.WebSocket = webSocket;
        return state;
    }

    public override void Resume()
    {
        EndStop(isPassed: false);
        if (_hasGivenState)
            options.Resume?.Invoke();
        _hasGivenState = false;
    }

    public override void Detach() => EndStop(isPassed: true);

    public override void End()
    {
        // Nobody waits for it.
    }

    private void EndStop(bool isPassed)
    {
        _stopped?.EndStop(isPassed);
        _stopped = null;
    }
}
