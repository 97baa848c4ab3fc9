using Tcpcp.Agent.Link;
using Tcpcp.Core.Wire;

namespace Tcpcp.Agent.Passing;

/// <summary>The origin's end of the link to a destination: opened again when it has broken. Every wait has a limit.</summary>
internal sealed class OriginLink(Func<CancellationToken, ValueTask<Stream>> connect) : IDisposable
{
    private AgentLink? _link;

    public bool IsOpen => _link is not null;

    /// <exception cref="LinkException">The destination was not reached.</exception>
    public async Task OpenAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        Dispose();
        using CancellationTokenSource timer = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timer.CancelAfter(limit);
        try
        {
            _link = new AgentLink(await connect(timer.Token));
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new LinkException($"The destination's agent was not reached within {limit.TotalSeconds} s.", e);
        }
        catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException)
        {
            throw new LinkException($"The destination's agent was not reached: {e.Message}", e);
        }
    }

    public void Send(PassMessage message)
    {
        try
        {
            Link.Send(message);
        }
        catch (LinkException)
        {
            Dispose();
            throw;
        }
    }

    /// <exception cref="LinkException">The link broke or was closed.</exception>
    /// <exception cref="TimeoutException">Nothing came within the limit.</exception>
    public async Task<PassMessage> ReceiveAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        using CancellationTokenSource timer = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timer.CancelAfter(limit);
        try
        {
            return await Link.ReceiveAsync(timer.Token) ?? throw new LinkException("The destination closed the link.");
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            Dispose(); // a message may have been cut
            throw new TimeoutException($"The destination did not answer within {limit.TotalSeconds} s.", e);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        _link?.Dispose();
        _link = null;
    }

    private AgentLink Link => _link ?? throw new LinkException("The link to the destination is closed.");
}
