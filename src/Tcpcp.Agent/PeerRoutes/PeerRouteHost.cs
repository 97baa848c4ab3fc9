using Microsoft.Extensions.Logging;
using Tcpcp.Agent.Hosting;
using Tcpcp.Agent.Link;

namespace Tcpcp.Agent.PeerRoutes;

/// <summary>The agent of a peer, or of its first hop: routes service addresses to the hosts that have them. The routes stay without it.</summary>
internal sealed class PeerRouteHost : IAsyncDisposable
{
    private readonly PassTelemetry _telemetry;
    private readonly RouteSwitchboard _board;
    private readonly PreparedServer _server;

    private PeerRouteHost(AgentConfiguration configuration, ILogger log)
    {
        _board = new RouteSwitchboard(configuration.PeerRouteRole!, configuration.Interface);
        _telemetry = new PassTelemetry(log);
        try
        {
            _telemetry.AddGauge("tcpcp_peer_routes", () => _board.Count, "Service addresses that are routed to hosts.");
            _server = PreparedServer.New(configuration, _board.Incarnation, _telemetry, RedirectorStream.RefuseAsync, options => options with { Redirector = () => _board });
        }
        catch
        {
            _telemetry.Dispose();
            _board.Dispose();
            throw;
        }
    }

    /// <exception cref="IOException">An address or the state's file cannot be had; the message says why.</exception>
    public static async Task<PeerRouteHost> StartAsync(AgentConfiguration configuration, ILogger log)
    {
        PeerRouteHost host = new(configuration, log);
        try
        {
            await host._server.Server.StartAsync();
            host._server.Export.Ready(() => null);
            log.PeerRouteReady(configuration.Name, AgentVersion.Current, host._server.Server.EndPoint.ToString(), host._board.Count, host._board.Incarnation);
            return host;
        }
        catch
        {
            await host.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _board.Dispose();
        _telemetry.Dispose();
    }
}
