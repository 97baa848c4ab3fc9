using System.Diagnostics;
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
internal sealed class GatewayHost : IReloadable, IAsyncDisposable
{
    // A handshake that the table before has begun is over by then, or is begun anew.
    private static readonly TimeSpan s_handshakes = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_answer = TimeSpan.FromSeconds(10);

    private readonly SemaphoreSlim _reloading = new(1);
    private readonly ILogger _log;
    private readonly PassTelemetry _telemetry;
    private readonly GatewaySwitch _switch;
    private readonly Dictionary<string, DestinationChannel> _channels = new(StringComparer.OrdinalIgnoreCase);
    private readonly CancellationTokenSource _stopping = new();
    private AgentConfiguration _configuration;
    private CancellationTokenSource? _settlingEnd;
    private Task _settling = Task.CompletedTask;
    private Task _watching = Task.CompletedTask;
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

    public IReadOnlyList<string> LiveKeys { get; } = ["gateway:backends"];

    /// <inheritdoc/>
    public async Task ReloadAsync(AgentConfiguration configuration)
    {
        await _reloading.WaitAsync(_stopping.Token);
        try
        {
            await EndSettlingAsync(); // of a change before: all are asked anew
            GatewayOptions wanted = Options with { Backends = configuration.GatewayRole!.Backends };
            _configuration = _configuration with { GatewayRole = wanted };
            string[] gone = [.. _channels.Keys.Except(wanted.Backends.Select(backend => backend.Host.Name), StringComparer.OrdinalIgnoreCase)];
            bool isChanging = Board.Change(wanted.Backends);
            foreach (GatewayBackend backend in wanted.Backends)
                OpenChannel(backend);
            _log.GatewayReloaded(wanted.Backends.Count, gone.Length == 0 ? "" : $" {string.Join(", ", gone)}: nothing that opens goes there any more.");
            if (isChanging)
                BeginSettling("the backends are others than before", mayBeKnown: true);
        }
        finally
        {
            _reloading.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await EndSettlingAsync();
        await _watching;
        if (_server is not null)
            await _server.DisposeAsync();
        foreach (DestinationChannel channel in _channels.Values)
            channel.Dispose();
        _reloading.Dispose();
        _switch.Dispose();
        _telemetry.Dispose();
        _stopping.Dispose();
    }

    private async Task StartAsync(PreparedServer server)
    {
        foreach (GatewayBackend backend in Options.Backends)
            OpenChannel(backend);

        _telemetry.AddGauge("tcpcp_gateway_entries", () => Board.Entries, "Connections that do not go by the table.");
        _telemetry.AddGauge("tcpcp_gateway_changing", () => Board.IsChanging ? 1 : 0, "Whether backends have still to say which connections they have.");
        await server.Server.StartAsync();
        server.Export.Ready(() => _stopping.IsCancellationRequested ? "The agent stops." : null);
        if (Board.IsChanging)
            BeginSettling(_switch.IsNew ? "nothing is known of any connection" : "the backends are others than before", mayBeKnown: !_switch.IsNew);
        _watching = new UnsettledWatch(Board, FindChannel, Options.Services, _log).RunAsync(_configuration.Bounds.CompareForwarded, _stopping.Token);
        _log.GatewayReady(_configuration.Name, AgentVersion.Current, server.Server.EndPoint.ToString(), Options.Backends.Count, Board.Entries, Board.Incarnation);
    }

    private void OpenChannel(GatewayBackend backend)
    {
        string name = backend.Host.Name;
        lock (_channels)
        {
            if (_channels.TryGetValue(name, out DestinationChannel? before))
            {
                if (before.Destination.EndPoint.Equals(backend.Agent))
                    return;
                before.Dispose();
            }

            _channels[name] = new DestinationChannel(new DestinationAddress(name, backend.Agent), _configuration.Listen.Address, _server!.Credentials, _telemetry.Observe);
            _channels[name].KeepWarm();
        }
    }

    private DestinationChannel? FindChannel(string backend)
    {
        lock (_channels)
            return _channels.GetValueOrDefault(backend);
    }

    private void BeginSettling(string reason, bool mayBeKnown)
    {
        _settlingEnd = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
        _settling = SettleAsync(reason, mayBeKnown, _settlingEnd.Token);
    }

    private async Task EndSettlingAsync()
    {
        if (_settlingEnd is not { } end)
            return;
        _settlingEnd = null;
        await end.CancelAsync();
        await _settling;
        end.Dispose();
    }

    private async Task SettleAsync(string reason, bool mayBeKnown, CancellationToken ending)
    {
        try
        {
            _log.GatewayAsks(reason);
            if (mayBeKnown)
                await Task.Delay(s_handshakes, ending);
            KeyValuePair<string, DestinationChannel>[] asked;
            lock (_channels)
                asked = [.. _channels];
            IReadOnlyList<OwnedConnection>?[] said = await Task.WhenAll(asked.Select(channel => AskAsync(channel.Key, channel.Value, ending)));
            HashSet<Core.FourTuple> owned = [.. said.SelectMany(one => one ?? []).Select(one => one.Connection)];
            foreach ((KeyValuePair<string, DestinationChannel> silent, _) in asked.Zip(said).Where(one => one.Second is null))
                Board.GiveUp(silent.Key, owned);
            Board.FinishChange();
            CloseChannelsOfGone();
            _log.GatewaySettled(Board.Entries);
        }
        catch (OperationCanceledException)
        {
            // The next change, or the next agent, asks again.
        }
        catch (Exception e)
        {
            _log.Failed("It is not known of every connection where it goes: of those that no backend has named, packets are dropped. Restart the agent.", e);
        }
    }

    // Of one that leaves the answer is not waited for for ever: it may be down, and taken out for that. Null: it is given up.
    private async Task<IReadOnlyList<OwnedConnection>?> AskAsync(string backend, DestinationChannel channel, CancellationToken ending)
    {
        TimeSpan pause = _configuration.Bounds.ResolveBackOff;
        bool isLeaving = Board.Leaving.Contains(backend, StringComparer.OrdinalIgnoreCase);
        long since = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(ending);
                limit.CancelAfter(s_answer);
                IReadOnlyList<OwnedConnection> owned = await channel.ListOwnedAsync(Options.Services, limit.Token);
                Board.Assert(backend, owned);
                return owned;
            }
            catch (Exception e) when (e is LinkException or OperationCanceledException && !ending.IsCancellationRequested)
            {
                if (isLeaving && Stopwatch.GetElapsedTime(since) >= _configuration.Bounds.AnswerTime)
                {
                    _log.GatewayGivesUp(backend, e.Message);
                    return null;
                }

                await Task.Delay(pause, ending);
                pause = pause * 2 < _configuration.Bounds.ResolveBackOffMax ? pause * 2 : _configuration.Bounds.ResolveBackOffMax;
            }
        }
    }

    // One that leaves with connections speaks to this agent, and is asked nothing more than whether passes that it has begun are over.
    private void CloseChannelsOfGone()
    {
        HashSet<string> kept = new(Options.Backends.Select(backend => backend.Host.Name).Concat(Board.Leaving), StringComparer.OrdinalIgnoreCase);
        lock (_channels)
        {
            foreach (string gone in _channels.Keys.Where(name => !kept.Contains(name)).ToArray())
            {
                _channels[gone].Dispose();
                _channels.Remove(gone);
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
