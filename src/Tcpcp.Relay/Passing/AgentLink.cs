using Microsoft.Extensions.Logging;
using Tcpcp.Client;
using Tcpcp.Relay.Hosting;

namespace Tcpcp.Relay.Passing;

/// <summary>The agent of this host. A relay serves its clients without one too: it is tried until it is there.</summary>
internal sealed class AgentLink : IAsyncDisposable
{
    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(1);

    private readonly string _path;
    private readonly string _application;
    private readonly SessionReceiver _receiver;
    private readonly ILogger _log;
    private readonly CancellationTokenSource _stopping = new();
    private Task _connecting = Task.CompletedTask;

    private AgentLink(string path, string application, SessionReceiver receiver, ILogger log) =>
        (_path, _application, _receiver, _log) = (path, application, receiver, log);

    /// <summary>Null: it was not reached yet.</summary>
    public AgentClient? Client { get; private set; }

    /// <summary>With the agent, if it is there.</summary>
    public static async Task<AgentLink> StartAsync(string path, string application, SessionReceiver receiver, ILogger log)
    {
        AgentLink link = new(path, application, receiver, log);
        if (!await link.TryConnectAsync(isFirst: true))
            link._connecting = link.ConnectAsync();
        return link;
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _connecting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (Client is { } client)
            await client.DisposeAsync();
        _stopping.Dispose();
    }

    private async Task ConnectAsync()
    {
        do
            await Task.Delay(s_pause, _stopping.Token);
        while (!await TryConnectAsync(isFirst: false));
    }

    private async Task<bool> TryConnectAsync(bool isFirst)
    {
        AgentClient? client = null;
        try
        {
            client = await AgentClient.ConnectAsync(new AgentClientOptions { Path = _path, Program = "tcpcp relay" }, _stopping.Token);
            await client.RegisterAsync(_application, _receiver, _stopping.Token);
            Client = client;
            _log.Registered(_application);
            return true;
        }
        catch (AgentException e)
        {
            if (client is not null)
                await client.DisposeAsync();
            if (isFirst)
                _log.NoAgent(e.Message);
            return false;
        }
    }
}
