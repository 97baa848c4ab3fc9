using Tcpcp.Agent.Link;
using Tcpcp.Core;
using Tcpcp.Core.Wire;

namespace Tcpcp.Agent.Passing;

/// <summary>Opens a link to a destination's agent for the messages of one pass.</summary>
/// <exception cref="LinkException">The destination was not reached.</exception>
internal delegate ValueTask<IPassLink> LinkOpening(PassId pass, CancellationToken cancellationToken);

/// <summary>The origin's end of the link to a destination, for one pass: opened again when it has broken. Every wait has a limit.</summary>
/// <param name="connect">Opens a link to the destination's agent.</param>
internal sealed class OriginLink(PassId pass, LinkOpening connect, PassOptions options) : IDisposable
{
    private IPassLink? _link;
    private TimeSpan _pause = options.ResolveBackOff;

    /// <summary>The destination's, once it is known: what names another one is not heard.</summary>
    public PassTicket? Ticket { get; set; }

    public bool IsOpen => _link is not null;

    /// <exception cref="LinkException">The destination was not reached.</exception>
    public async Task OpenAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        Dispose();
        using CancellationTokenSource timer = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timer.CancelAfter(limit);
        try
        {
            _link = await connect(pass, timer.Token);
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

    /// <summary>Opens it again if it has broken.</summary>
    /// <exception cref="LinkException">The destination was not reached.</exception>
    public async ValueTask EnsureOpenAsync()
    {
        if (!IsOpen)
            await OpenAsync(options.AnswerTime, CancellationToken.None);
    }

    /// <summary>Waits before the destination is tried again, twice as long each time.</summary>
    public async Task PauseAsync(CancellationToken cancellationToken)
    {
        await Task.Delay(_pause, cancellationToken);
        _pause = _pause * 2 < options.ResolveBackOffMax ? _pause * 2 : options.ResolveBackOffMax;
    }

    /// <param name="body">Sets what the message says; whose it is stands in it already.</param>
    public void Send(Action<PassMessage> body)
    {
        PassMessage message = PassMessages.New(pass, Ticket);
        body(message);
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
            while (true)
            {
                PassMessage message = await Link.ReceiveAsync(timer.Token) ?? throw new LinkException("The destination closed the link.");
                if (PassMessages.IdOf(message) == pass && (Ticket is null || PassMessages.TicketOf(message) == Ticket))
                    return message;
            }
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

    private IPassLink Link => _link ?? throw new LinkException("The link to the destination is closed.");
}
