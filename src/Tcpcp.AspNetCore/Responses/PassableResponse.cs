using Google.Protobuf;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Tcpcp.AspNetCore.Passing;
using Tcpcp.AspNetCore.Transport;
using Tcpcp.Core.Wire;

namespace Tcpcp.AspNetCore.Responses;

/// <summary>A response of a connection that can be passed.</summary>
internal sealed class PassableResponse(HttpContext context, PassableConnection connection, ServerExchange? arrived) : PassableExchange(connection, arrived), IPassableResponse
{
    private readonly Lock _lock = new();
    private TaskCompletionSource<ServerExchange?>? _wanted;
    private TaskCompletionSource? _decided;
    private volatile bool _isWanted;
    private bool _isPassed;
    private bool _hasEnded;

    public bool IsResumed => Arrived is not null;

    public ReadOnlyMemory<byte> State => Arrived?.Response.State.Memory ?? default;

    /// <summary>The file that was being sent; null: none.</summary>
    public ServerFile? ArrivedFile => Arrived?.Response.File;

    /// <summary>That of a request; one is made if it has none.</summary>
    /// <returns>Null: the connection cannot be passed.</returns>
    public static PassableResponse? Of(HttpContext context)
    {
        if (context.Features.Get<PassableConnection>() is not { Obstacle: null } connection)
            return null;
        return connection.Exchange as PassableResponse
            ?? new PassableResponse(context, connection, connection.ArrivedExchange?.Response is null ? null : connection.TakeArrivedExchange());
    }

    public ValueTask CheckpointAsync(Func<ReadOnlyMemory<byte>> getState) =>
        _isWanted ? StandAsync(() => new ServerResponse { State = UnsafeByteOperations.UnsafeWrap(getState()) }) : default;

    /// <inheritdoc cref="CheckpointAsync(Func{ReadOnlyMemory{byte}})"/>
    public ValueTask CheckpointAsync(Func<ServerFile> getFile) => _isWanted ? StandAsync(() => new ServerResponse { File = getFile() }) : default;

    public override async Task<ServerExchange?> QuiesceAsync(CancellationToken cancellationToken)
    {
        Task<ServerExchange?> stood;
        lock (_lock)
        {
            if (_hasEnded)
                return null;
            _wanted = new TaskCompletionSource<ServerExchange?>(TaskCreationOptions.RunContinuationsAsynchronously);
            _isWanted = true;
            stood = _wanted.Task;
        }

        return await stood.WaitAsync(cancellationToken);
    }

    public override void Resume() => Decide(isPassed: false);

    public override void Detach() => Decide(isPassed: true);

    public override void End()
    {
        lock (_lock)
        {
            _hasEnded = true;
            _wanted?.TrySetResult(null);
        }
    }

    private async ValueTask StandAsync(Func<ServerResponse> getState)
    {
        await context.Response.BodyWriter.FlushAsync();
        Task decided;
        lock (_lock)
        {
            if (!_isWanted || _wanted is null)
                return;
            try
            {
                ServerExchange state = NewState(context);
                Examine();
                state.Response = getState();
                state.Response.Chunked = context.Response.ContentLength is null;
                _decided = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                decided = _decided.Task;
                _wanted.TrySetResult(state);
            }
            catch (Exception e)
            {
                _isWanted = false;
                _wanted.TrySetException(e); // it goes on here
                return;
            }
        }

        await decided;
        if (_isPassed)
            throw new ConnectionPassedException();
    }

    private void Examine()
    {
        IHttpResponseBodyFeature? body = context.Features.Get<IHttpResponseBodyFeature>();
        if (body is PassableFileBody file)
            body = file.Inner;
        if (!ReferenceEquals(body, context.Features.Get<IHttpRequestFeature>()))
            throw new PassRefusedException("A middleware changes the response's body (compression, for instance): what it has in it is not known.");
        if (context.Response.ContentLength is null && !HttpProtocol.IsHttp11(context.Request.Protocol))
            throw new PassRefusedException("The response's end is the connection's.");
    }

    private void Decide(bool isPassed)
    {
        TaskCompletionSource? decided;
        lock (_lock)
        {
            (_isWanted, _isPassed) = (false, isPassed);
            (decided, _decided) = (_decided, null);
        }

        decided?.TrySetResult();
    }
}
