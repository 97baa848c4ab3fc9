using System.Net.WebSockets;
using Microsoft.AspNetCore.Http;
using Tcpcp.AspNetCore.Transport;
using Tcpcp.AspNetCore.WebSockets;
using Tcpcp.Core.Wire;

namespace Tcpcp.AspNetCore;

/// <summary>
/// A WebSocket that can go on at another host, between two messages. Its handler waits in <c>ReceiveAsync</c> when it does nothing else; where the connection is passed,
/// that throws <see cref="ConnectionPassedException"/>, which the handler lets through.
/// </summary>
public sealed class PassableWebSocket : WebSocket
{
    private readonly WebSocket _inner;
    private readonly SemaphoreSlim _sending = new(1); // taken while the connection is being passed
    private bool _isInMessage;
    private volatile bool _isPassed;

    /// <param name="state">What came with it; null: it has begun here.</param>
    internal PassableWebSocket(WebSocket inner, ReadOnlyMemory<byte>? state) => (_inner, IsResumed, HandlerState) = (inner, state is not null, state ?? default);

    /// <summary>It has begun at another host.</summary>
    public bool IsResumed { get; }

    /// <summary>What the handler gave there; empty if it has begun here.</summary>
    public ReadOnlyMemory<byte> HandlerState { get; }

    /// <inheritdoc/>
    public override WebSocketCloseStatus? CloseStatus => _inner.CloseStatus;

    /// <inheritdoc/>
    public override string? CloseStatusDescription => _inner.CloseStatusDescription;

    /// <inheritdoc/>
    public override WebSocketState State => _inner.State;

    /// <inheritdoc/>
    public override string? SubProtocol => _inner.SubProtocol;

    /// <inheritdoc/>
    public override void Abort() => _inner.Abort();

    /// <inheritdoc/>
    public override Task CloseAsync(WebSocketCloseStatus closeStatus, string? statusDescription, CancellationToken cancellationToken) =>
        SendAloneAsync(() => new ValueTask(_inner.CloseAsync(closeStatus, statusDescription, cancellationToken)), isLast: true, cancellationToken).AsTask();

    /// <inheritdoc/>
    public override Task CloseOutputAsync(WebSocketCloseStatus closeStatus, string? statusDescription, CancellationToken cancellationToken) =>
        SendAloneAsync(() => new ValueTask(_inner.CloseOutputAsync(closeStatus, statusDescription, cancellationToken)), isLast: true, cancellationToken).AsTask();

    /// <inheritdoc/>
    public override async Task<WebSocketReceiveResult> ReceiveAsync(ArraySegment<byte> buffer, CancellationToken cancellationToken)
    {
        try
        {
            return await _inner.ReceiveAsync(buffer, cancellationToken);
        }
        catch (Exception e) when (_isPassed)
        {
            throw new ConnectionPassedException("The connection was passed to another host.", e);
        }
    }

    /// <inheritdoc/>
    public override async ValueTask<ValueWebSocketReceiveResult> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        try
        {
            return await _inner.ReceiveAsync(buffer, cancellationToken);
        }
        catch (Exception e) when (_isPassed)
        {
            throw new ConnectionPassedException("The connection was passed to another host.", e);
        }
    }

    /// <inheritdoc/>
    public override Task SendAsync(ArraySegment<byte> buffer, WebSocketMessageType messageType, bool endOfMessage, CancellationToken cancellationToken) =>
        SendAsync(buffer.AsMemory(), messageType, endOfMessage, cancellationToken).AsTask();

    /// <inheritdoc/>
    public override ValueTask SendAsync(ReadOnlyMemory<byte> buffer, WebSocketMessageType messageType, bool endOfMessage, CancellationToken cancellationToken) =>
        SendAloneAsync(() => _inner.SendAsync(buffer, messageType, endOfMessage, cancellationToken), endOfMessage, cancellationToken);

    /// <inheritdoc/>
    public override void Dispose() => _inner.Dispose();

    /// <summary>Waits until no message is being sent; from then on none is.</summary>
    /// <returns>Why it cannot be passed now; null: it can.</returns>
    internal async Task<string?> StopSendingAsync(CancellationToken cancellationToken)
    {
        await _sending.WaitAsync(cancellationToken);
        return _inner.State != WebSocketState.Open ? "The WebSocket is being closed." : _isInMessage ? "A message is being sent in parts." : null;
    }

    /// <summary>Messages are sent again, or, where the connection was passed, never.</summary>
    internal void EndStop(bool isPassed)
    {
        _isPassed = isPassed;
        _sending.Release();
    }

    private async ValueTask SendAloneAsync(Func<ValueTask> send, bool isLast, CancellationToken cancellationToken)
    {
        await _sending.WaitAsync(cancellationToken);
        try
        {
            if (_isPassed)
                throw new ConnectionPassedException();
            _isInMessage = !isLast;
            await send();
        }
        catch (Exception e) when (_isPassed && e is not ConnectionPassedException)
        {
            throw new ConnectionPassedException("The connection was passed to another host.", e);
        }
        finally
        {
            _sending.Release();
        }
    }
}
