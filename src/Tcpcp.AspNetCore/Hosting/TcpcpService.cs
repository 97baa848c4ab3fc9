using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Tcpcp.AspNetCore.Hosting;

/// <summary>Registers the application when it has started, and passes its connections before it stops.</summary>
internal sealed class TcpcpService(AgentLink link, IConnectionDrain drain, IOptions<TcpcpOptions> options, ILogger<TcpcpService> log) : IHostedLifecycleService
{
    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    // The server listens now: what comes finds its listener.
    public Task StartedAsync(CancellationToken cancellationToken) => link.StartAsync(options.Value);

    // The server goes on until this is done.
    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        if (options.Value.Destinations.Count == 0)
            return;
        try
        {
            await drain.DrainAsync(cancellationToken: cancellationToken);
        }
        catch (InvalidOperationException e)
        {
            log.NotDrained(e.Message);
        }
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
