using Microsoft.Extensions.Logging;
using Tcpcp.AspNetCore.Passing;
using Tcpcp.Client;

namespace Tcpcp.AspNetCore.Hosting;

/// <summary>The agent of this host. The application serves its clients without one too: it is tried until it is there.</summary>
internal sealed class AgentLink(ConnectionPasses passes, ILogger<AgentLink> log) : IAsyncDisposable
{
    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource _stopping = new();
    private Task _connecting = Task.CompletedTask;

    /// <summary>Null: it was not reached yet.</summary>
    public AgentClient? Client { get; private set; }

    /// <summary>Registers the application, now if the agent is there.</summary>
    public async Task StartAsync(TcpcpOptions options)
    {
        if (!await TryConnectAsync(options, isFirst: true))
            _connecting = ConnectAsync(options);
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _connecting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (Client is { } client)
            await client.DisposeAsync();
        _stopping.Dispose();
    }

    private async Task ConnectAsync(TcpcpOptions options)
    {
        do
            await Task.Delay(s_pause, _stopping.Token);
        while (!await TryConnectAsync(options, isFirst: false));
    }

    private async Task<bool> TryConnectAsync(TcpcpOptions options, bool isFirst)
    {
        AgentClient? client = null;
        try
        {
            client = await AgentClient.ConnectAsync(new AgentClientOptions { Path = options.AgentSocket, Program = options.Application }, _stopping.Token);
            await client.RegisterAsync(options.Application, passes, _stopping.Token);
            Client = client;
            log.Registered(options.Application, client.Host);
            return true;
        }
        catch (AgentException e)
        {
            if (client is not null)
                await client.DisposeAsync();
            if (isFirst)
                log.NoAgent(e.Message);
            return false;
        }
    }
}
