using System.Diagnostics;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Tcpcp.Linux.Streams;
using Tcpcp.Relay.Hosting;
using Tcpcp.Relay.Loops;
using Tcpcp.Relay.Settings;

namespace Tcpcp.Relay.Servers;

/// <summary>Checks the servers of a pool, one by one in their interval: opens a connection and closes it by a reset, which leaves nothing at either end.</summary>
internal sealed class ServerChecks(ServerPool pool, SessionLoop loop, ILogger log) : IDisposable
{
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(100);

    private readonly CancellationTokenSource _stopping = new();
    private readonly Dictionary<Server, (long Next, Task Running)> _checked = [];

    public void Start() => _ = RunAsync();

    public void Dispose() => _stopping.Cancel(); // its source is collected: whoever runs still looks at it

    private async Task RunAsync()
    {
        using PeriodicTimer timer = new(s_look);
        try
        {
            do
                BeginDue();
            while (await timer.WaitForNextTickAsync(_stopping.Token));
        }
        catch (OperationCanceledException)
        {
            // The pool is gone.
        }
    }

    private void BeginDue()
    {
        long now = Environment.TickCount64;
        IReadOnlyList<Server> servers = pool.Servers;
        foreach (Server gone in _checked.Keys.Where(server => !servers.Contains(server)).ToArray())
            _checked.Remove(gone);
        foreach (Server server in servers)
        {
            if (pool.Settings.Check is not { } check || server.State == ServerState.Maint)
            {
                if (_checked.Remove(server))
                    pool.ForgetChecks(server);
                continue;
            }

            if (_checked.TryGetValue(server, out (long Next, Task Running) one) && (one.Next > now || !one.Running.IsCompleted))
                continue;
            _checked[server] = (now + (long)check.Interval.TotalMilliseconds, CheckAsync(server, check));
        }
    }

    private async Task CheckAsync(Server server, CheckSettings check)
    {
        long started = Stopwatch.GetTimestamp();
        (SafeSocketHandle? socket, int error) = await ServerConnector.ConnectAsync(server.Address, pool.Settings.Sources, check.Timeout, loop);
        TimeSpan duration = Stopwatch.GetElapsedTime(started);
        if (socket is not null)
        {
            StreamSocket.ResetOnClose(socket);
            socket.Dispose();
        }

        CheckResult result = new(error == 0, ServerConnector.NameOf(error), duration);
        if (!pool.NoteCheck(server, result, check))
            return;
        if (result.IsGood)
            log.ServerUp(server.Name, pool.Name, duration.TotalMilliseconds);
        else
            log.ServerDown(server.Name, pool.Name, result.Code, check.Fall);
    }
}
