using System.Globalization;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Tcpcp.Relay.Listening;
using Tcpcp.Relay.Servers;

namespace Tcpcp.Relay.Hosting;

/// <summary>Prometheus metrics of the listeners and servers, and whether the relay is well, over plain HTTP.</summary>
internal sealed class RelayMetrics : IAsyncDisposable
{
    private readonly WebApplication _application;

    private RelayMetrics(RelayHost relay, IPEndPoint listen)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Listen(listen, listener => listener.Protocols = HttpProtocols.Http1);
        });
        builder.Services.AddSingleton<IHostLifetime, OwnersLifetime>();
        _application = builder.Build();
        _application.Run(context => AnswerAsync(context, relay));
    }

    /// <exception cref="IOException">The address cannot be listened on.</exception>
    public static async Task<RelayMetrics> StartAsync(RelayHost relay, IPEndPoint listen)
    {
        RelayMetrics metrics = new(relay, listen);
        try
        {
            await metrics._application.StartAsync();
            return metrics;
        }
        catch (System.Net.Sockets.SocketException e)
        {
            await metrics.DisposeAsync();
            throw new IOException($"metrics:listen: {listen} cannot be listened on: {e.Message}", e);
        }
    }

    public ValueTask DisposeAsync() => _application.DisposeAsync();

    /// <summary>In the text format, version 0.0.4.</summary>
    public static string Write(RelayHost relay)
    {
        StringBuilder text = new();
        Listener[] listeners = [.. relay.Listeners];
        (ServerPool Pool, Server Server)[] servers = [.. relay.Pools.SelectMany(pool => pool.Servers.Select(server => (pool, server)))];
        long now = Environment.TickCount64;
        OfListeners("sessions", "gauge", "Sessions that are open or being opened.", one => one.Sessions);
        OfListeners("sessions_total", "counter", "Sessions accepted, and passed here.", one => one.Total);
        OfListeners("refused_total", "counter", "Clients whose session did not open.", one => one.Refused);
        OfListeners("bytes_to_server_total", "counter", "Bytes to servers.", one => one.BytesToServer);
        OfListeners("bytes_to_client_total", "counter", "Bytes to clients.", one => one.BytesToClient);
        OfListeners("passed_in_total", "counter", "Sessions that came from other hosts.", one => one.PassedIn);
        OfListeners("passed_out_total", "counter", "Sessions that went to other hosts.", one => one.PassedOut);
        OfServers("sessions", "gauge", "Sessions that it has or gets.", one => one.Sessions);
        OfServers("sessions_total", "counter", "Sessions that it got.", one => one.Total);
        OfServers("connect_failures_total", "counter", "Connects that failed.", one => one.ConnectFailures);
        OfServers("up", "gauge", "1: it is up; 0: it is down or left out.", one => one.HealthAt(now) == ServerHealth.Up ? 1 : 0);
        OfServers("takes_sessions", "gauge", "1: it gets new sessions.", one => one.TakesSessions(now) ? 1 : 0);
        OfServers("weight", "gauge", "Its weight.", one => one.Weight);
        OfServers("bytes_to_server_total", "counter", "Bytes to it.", one => one.BytesToServer);
        OfServers("bytes_to_client_total", "counter", "Bytes from it.", one => one.BytesToClient);
        Head("tcpcp_relay_pool_queued", "gauge", "Sessions that wait for a server.");
        foreach (ServerPool pool in relay.Pools)
            text.Append(CultureInfo.InvariantCulture, $"tcpcp_relay_pool_queued{{pool=\"{Escape(pool.Name)}\"}} {pool.Queued}\n");
        return text.ToString();

        void OfListeners(string name, string type, string help, Func<Listener, long> value)
        {
            Head($"tcpcp_relay_listener_{name}", type, help);
            foreach (Listener one in listeners)
                text.Append(CultureInfo.InvariantCulture, $"tcpcp_relay_listener_{name}{{listener=\"{Escape(one.Name)}\"}} {value(one)}\n");
        }

        void OfServers(string name, string type, string help, Func<Server, long> value)
        {
            Head($"tcpcp_relay_server_{name}", type, help);
            foreach ((ServerPool pool, Server one) in servers)
                text.Append(CultureInfo.InvariantCulture, $"tcpcp_relay_server_{name}{{pool=\"{Escape(pool.Name)}\",server=\"{Escape(one.Name)}\"}} {value(one)}\n");
        }

        void Head(string name, string type, string help) => text.Append(CultureInfo.InvariantCulture, $"# HELP {name} {help}\n# TYPE {name} {type}\n");
    }

    private static string Escape(string label) =>
        label.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);

    private static Task AnswerAsync(HttpContext context, RelayHost relay)
    {
        context.Response.ContentType = "text/plain; version=0.0.4; charset=utf-8";
        switch (context.Request.Path.ToString())
        {
            case "/metrics":
                return context.Response.WriteAsync(Write(relay));
            case "/healthz":
                return context.Response.WriteAsync("ok\n");
            default:
                context.Response.StatusCode = StatusCodes.Status404NotFound;
                return Task.CompletedTask;
        }
    }

    // Signals are the program's.
    private sealed class OwnersLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
