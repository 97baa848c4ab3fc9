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
    private PassableWebSocket? _socket;
    private bool _isStopped;
    private bool _hasGivenState;

    /// <summary>The upgrade is done: messages come.</summary>
    public void Begin(PassableWebSocket socket) => _socket = socket;

    public override async Task<ServerExchange?> QuiesceAsync(CancellationToken cancellationToken)
    {
        if (obstacle is not null)
            throw new PassRefusedException(obstacle);
        if (_socket is not { } socket)
            throw new PassRefusedException("The WebSocket is being opened.");
        ServerExchange state = NewState(context);
        await Connection.Input.HoldAsync().WaitAsync(cancellationToken);
        ServerWebSocket webSocket = terms.Clone();
        _hasGivenState = true;
        webSocket.State = UnsafeByteOperations.UnsafeWrap(await options.GetStateAsync(cancellationToken));
        string? fault = await socket.StopSendingAsync(cancellationToken);
        _isStopped = true;
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
        if (_isStopped)
            _socket!.EndStop(isPassed);
        _isStopped = false;
    }
}
