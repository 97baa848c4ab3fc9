using Microsoft.AspNetCore.Http;
using Tcpcp.AspNetCore.Passing;
using Tcpcp.AspNetCore.Transport;
using Tcpcp.Core.Wire;

namespace Tcpcp.AspNetCore.Responses;

/// <summary>A request under way that can be passed: what all of them have.</summary>
internal abstract class PassableExchange : IPassableExchange
{
    private readonly byte[] _head;

    /// <param name="arrived">What came with it; null: it has begun here.</param>
    protected PassableExchange(PassableConnection connection, ServerExchange? arrived)
    {
        (Connection, Arrived) = (connection, arrived);
        byte[] read = connection.Input.TakeHead();
        _head = arrived is null ? read : arrived.Head.ToByteArray();
        connection.Exchange = this;
    }

    public PassableConnection Connection { get; }

    public ServerExchange? Arrived { get; }

    public abstract Task<ServerExchange?> QuiesceAsync(CancellationToken cancellationToken);

    public abstract void Resume();

    public abstract void Detach();

    /// <summary>The request has been dealt with.</summary>
    public abstract void End();

    /// <summary>What goes with it, but for the part of its own kind.</summary>
    protected ServerExchange NewState(HttpContext context)
    {
        if (_head.Length == 0)
            throw new PassRefusedException("The request has a body: it is not passed before its response is over.");
        return new ServerExchange { Head = Google.Protobuf.UnsafeByteOperations.UnsafeWrap(_head), Status = (uint)context.Response.StatusCode };
    }
}
