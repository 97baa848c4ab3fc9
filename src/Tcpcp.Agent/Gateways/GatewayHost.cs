using Microsoft.Extensions.Logging;
using Tcpcp.Agent.Hosting;
using Tcpcp.Agent.Link;
using Tcpcp.Agent.Redirection;
using Tcpcp.Core.Wire;
using Tcpcp.Linux;
using Tcpcp.Linux.Netlink;
using Tcpcp.Linux.Packets;
using Tcpcp.Linux.Switching;
using OwnedConnection = Tcpcp.Agent.Redirection.OwnedConnection;

namespace Tcpcp.Agent.Gateways;

/// <summary>
/// The agent of a gateway: sends the packets of services to the hosts that have their connections, and obeys those hosts. Started on a thread in the network namespace of
/// the gateway, where all threads of the process must be. What it has set up in the kernel works on without it.
/// </summary>
internal sealed class GatewayHost : IAsyncDisposable
{
    // A handshake that the table before has begun is over by then, or is begun anew.
    private static readonly TimeSpan s_handshakes = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_answer = TimeSpan.FromSeconds(10);

    private readonly AgentConfiguration _configuration;
    private readonly ILogger _log;
    private readonly PassTelemetry _telemetry;
    private readonly GatewaySwitch _switch;
    private readonly Dictionary<string, DestinationChannel> _channels = new(StringComparer.OrdinalIgnoreCase);
    private readonly CancellationTokenSource _stopping = new();
    private PreparedServer? _server;

    private GatewayHost(AgentConfiguration configuration, ILogger log)
    {
        (_configuration, _log, _telemetry) = (configuration, log, new PassTelemetry(log));
        _switch = GatewaySwitch.Open(Options.Capacity);
        try
        {
            using RouteNetlink route = RouteNetlink.Open();
            LinkInfo link = route.Links.Get(configuration.Interface);
            Board = new GatewaySwitchboard(_switch, Options, link.Index);
            GatewayGuard.Set(Options.Services);
            _switch.Attach([link.Index]);
            if (Options.AddsAddresses)
                AddAddresses(route, link); // not before: as long as nothing switches them, their packets would be answered with an RST
        }
        catch
        {
            _switch.Dispose();
            _telemetry.Dispose();
            throw;
        }
    }

    public GatewaySwitchboard Board { get; }

    private GatewayOptions Options => _configuration.GatewayRole!;

    /// <exception cref="IOException">BPF or an address cannot be had; the message says why.</exception>
    public static async Task<GatewayHost> StartAsync(AgentConfiguration configuration, ILogger log)
    {
        GatewayHost gateway = new(configuration, log);
        try
        {
            gateway._server = PreparedServer.New(configuration, gateway._switch.Incarnation, gateway._telemetry, RedirectorStream.RefuseAsync,
                options => options with { Redirector = () => gateway.Board, Home = () => gateway.Board });
            await gateway.StartAsync(gateway._server);
            return gateway;
        }
        catch
        {
            await gateway.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        if (_server is not null)
            await _server.DisposeAsync();
        foreach (DestinationChannel channel in _channels.Values)
            channel.Dispose();
        _switch.Dispose();
        _telemetry.Dispose();
        _stopping.Dispose();
    }

    private async Task StartAsync(PreparedServer server)
    {
        foreach (GatewayBackend backend in Options.Backends)
        {
            DestinationChannel channel = new(
                new DestinationAddress(backend.Host.Name, backend.Agent), _configuration.Listen.Address, server.Credentials, _telemetry.Observe);
            _channels[backend.Host.Name] = channel;
            channel.KeepWarm();
        }

        _telemetry.AddGauge("tcpcp_gateway_entries", () => Board.Entries, "Connections that do not go by the table.");
        _telemetry.AddGauge("tcpcp_gateway_changing", () => Board.IsChanging ? 1 : 0, "Whether backends have still to say which connections they have.");
        await server.Server.StartAsync();
        server.Export.Ready(() => _stopping.IsCancellationRequested ? "The agent stops." : null);
        if (Board.IsChanging)
            _ = SettleAsync();
        _log.GatewayReady(_configuration.Name, AgentVersion.Current, server.Server.EndPoint.ToString(), Options.Backends.Count, Board.Entries, Board.Incarnation);
    }

    private async Task SettleAsync()
    {
        try
        {
            _log.GatewayAsks(_switch.IsNew ? "nothing is known of any connection" : "the backends are others than before");
            if (!_switch.IsNew)
                await Task.Delay(s_handshakes, _stopping.Token);
            await Task.WhenAll(_channels.Select(channel => AskAsync(channel.Key, channel.Value)));
            Board.FinishChange();
            _log.GatewaySettled(Board.Entries);
        }
        catch (OperationCanceledException)
        {
            // The next agent asks again.
        }
        catch (Exception e)
        {
            _log.Failed("It is not known of every connection where it goes: of those that no backend has named, packets are dropped. Restart the agent.", e);
        }
    }

    private async Task AskAsync(string backend, DestinationChannel channel)
    {
        TimeSpan pause = _configuration.Bounds.ResolveBackOff;
        while (true)
        {
            try
            {
                using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
                limit.CancelAfter(s_answer);
                IReadOnlyList<OwnedConnection> owned = await channel.ListOwnedAsync(Options.Services, limit.Token);
                Board.Assert(backend, owned);
                return;
            }
            catch (Exception e) when (e is LinkException or OperationCanceledException && !_stopping.IsCancellationRequested)
            {
                await Task.Delay(pause, _stopping.Token);
                pause = pause * 2 < _configuration.Bounds.ResolveBackOffMax ? pause * 2 : _configuration.Bounds.ResolveBackOffMax;
            }
        }
    }

    private void AddAddresses(RouteNetlink route, LinkInfo link)
    {
        using AddressAnnouncement announcement = AddressAnnouncement.Open(link.Index, link.HardwareAddress);
        foreach (System.Net.IPAddress address in Options.Addresses)
        {
            if (!route.Routes.IsLocal(address))
                route.Addresses.Add(link.Index, InterfaceAddress.Single(address), forAnswersOnly: true);
            announcement.Announce(address);
        }
    }
}
