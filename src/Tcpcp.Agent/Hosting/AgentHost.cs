using System.Net;
using Microsoft.Extensions.Logging;
using Tcpcp.Agent.Gateways;
using Tcpcp.Agent.Journal;
using Tcpcp.Agent.Link;
using Tcpcp.Agent.Local;
using Tcpcp.Agent.Passing;
using Tcpcp.Agent.Redirection;
using Tcpcp.Client;
using Tcpcp.Core;
using Tcpcp.Core.Passing;
using Tcpcp.Core.Wire;
using Tcpcp.Linux.Diagnostics;
using Tcpcp.Linux.Netlink;
using Tcpcp.Linux.Switching;
using Tcpcp.Restore;
using FourTuple = Tcpcp.Core.FourTuple;

namespace Tcpcp.Agent.Hosting;

/// <summary>
/// The agent of a host: takes connections from its applications and from other agents, and passes them. Started on a thread in the host's network namespace,
/// where all threads of the process must be.
/// </summary>
internal sealed class AgentHost : IAsyncDisposable
{
    private static readonly TimeSpan s_unused = TimeSpan.FromSeconds(1);

    private readonly AgentConfiguration _configuration;
    private readonly ILogger _log;
    private readonly FileJournal _journal;
    private readonly HostServices _host;
    private readonly DestinationSide _destination;
    private readonly ForwardingHome? _home;
    private readonly HostOwnership? _ownership;
    private readonly List<DestinationChannel> _redirectors = [];
    private readonly Dictionary<string, DestinationChannel> _channels = new(StringComparer.OrdinalIgnoreCase);
    private readonly PassClaims _claims;
    private readonly bool _hasTunnel;
    private readonly CancellationTokenSource _stopping = new();
    private LocalServer? _local;
    private PreparedServer? _server;
    private EndReports? _endReports;

    private AgentHost(AgentConfiguration configuration, ILogger log, FileJournal journal, PassTelemetry telemetry)
    {
        (_configuration, _log, _journal, Telemetry) = (configuration, log, journal, telemetry);
        Dictionary<string, OtherHost> others = configuration.Destinations.ToDictionary(one => one.Host.Name, one => one.Host, StringComparer.OrdinalIgnoreCase);
        VxlanTunnel? tunnel = OpenTunnel(configuration, others.Values);
        _hasTunnel = tunnel is not null;
        _host = HostServices.Open(configuration.Interface, configuration.Bounds with { AbandonAfter = configuration.AbandonAfter }, journal,
            sockets => configuration.Redirection switch
            {
                AgentConfiguration.Forward => new Forward(configuration.Interface, others.Values, journal, sockets, tunnel, configuration.Bounds.PacketSwitch, configuration.JournalDirectory),
                AgentConfiguration.Takeover => new Takeover(configuration.Interface, sockets),
                _ => ConfiguredRedirection.New(configuration, sockets, line => log.HookSaid(line)),
            },
            name => others.GetValueOrDefault(name), FindHomes, telemetry.SpanOf, HasTunnelLink() ? VxlanTunnel.DeviceName : null);
        log.PacketSwitch(_host.Hold.Mechanism, _host.Hold.BpfObstacle is { } obstacle ? $" BPF is not to be had: {obstacle}" : "");
        log.PacketHold(_host.Hold.Device, _host.Hold.TapObstacle is { } tapObstacle ? $" A TAP is not to be had: {tapObstacle}" : "");
        if (configuration.Bounds.Congestion == Core.CongestionStart.Keep && KeptCongestion.FindObstacle() is { } notKept)
            log.CongestionNotKept(notKept);
        // Not only when the first connection comes, whose peer would wait for it.
        bool usesStarter = configuration.Bounds.Congestion == Core.CongestionStart.Keep || configuration.Bounds.Ecn == EcnPolicy.Keep;
        if (usesStarter && KeptCongestion.FindEcnObstacle() is { } notStarted)
            log.StartNotKept(notStarted);
        _destination = new DestinationSide(_host, telemetry.Observe) { Policy = configuration.Policy, LinkObserver = telemetry.Observe };
        if (_host.Redirection is AskedRedirection { HasEntries: true } asked)
            _ownership = new HostOwnership(_host, _destination, asked.Homes, [.. configuration.Redirectors.Select(one => one.Host.Name)]);
        if (_host.Redirection is Forward forward)
            _home = new ForwardingHome(forward, _host.OriginPasses, others.Values, configuration.Policy, _host.Sockets, telemetry.Observe);
        _claims = new PassClaims(_host, _destination.FindReceiver, TakeUnexpected);
    }

    public PassTelemetry Telemetry { get; }

    public HostServices Host => _host;

    public AgentConfiguration Configuration => _configuration;

    public FileJournal Journal => _journal;

    public DestinationSide Destination => _destination;

    public LocalServer Local => _local ?? throw new InvalidOperationException("The agent has not started.");

    public IReadOnlyDictionary<string, DestinationChannel> Channels => _channels;

    /// <summary>Where agents reach it.</summary>
    public IPEndPoint EndPoint => _server!.Server.EndPoint;

    /// <exception cref="IOException">The journal, an address or the local socket cannot be used; the message says why.</exception>
    public static async Task<AgentHost> StartAsync(AgentConfiguration configuration, ILogger log, PassObserver? observer = null)
    {
        PassTelemetry telemetry = new(log, observer);
        FileJournal journal = FileJournal.Open(configuration.JournalDirectory);
        AgentHost? agent = null;
        // Beside what is set up in the kernel, which waits more than it works.
        Task<PreparedServer> preparing = Task.Run(() =>
            PreparedServer.New(configuration, journal.Incarnation, telemetry,
            (link, peer, cancellationToken) => agent!._destination.ServeAsync(link, peer, cancellationToken),
            options => options with { Home = () => agent!._home, Ownership = () => agent!._ownership }));
        try
        {
            if (journal.Damage is { } damage)
                log.JournalDamaged(damage);
            agent = new AgentHost(configuration, log, journal, telemetry);
            agent._server = await preparing;
            await agent.StartAsync(agent._server);
            return agent;
        }
        catch
        {
            if (agent is not null)
            {
                await agent.DisposeAsync();
            }
            else
            {
                await preparing.ContinueWith(prepared => prepared.IsCompletedSuccessfully ? prepared.Result.DisposeAsync().AsTask() : Task.CompletedTask, TaskScheduler.Default).Unwrap();
                journal.Dispose();
            }

            throw;
        }
    }

    /// <summary>Passes connections to the agent of that name.</summary>
    public Task<PassResult> PassAsync(PassRequest request, string destination, CancellationToken cancellationToken) =>
        _channels.TryGetValue(destination, out DestinationChannel? channel)
            ? OriginPass.RunAsync(_host, request, channel.ConnectAsync, _host.FindHost(channel.Destination.Name)!, Telemetry.Observe, cancellationToken)
            : Task.FromResult(new PassResult(PassFailure.DestinationUnreachable, Core.ConnectionOwner.Origin,
                $"No agent named '{destination}' is configured: add it to destinations, or name one of: {string.Join(", ", _channels.Keys.Order(StringComparer.Ordinal))}."));

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        if (_local is not null)
            await _local.DisposeAsync();
        if (_endReports is not null)
            await _endReports.DisposeAsync();
        if (_server is not null)
            await _server.DisposeAsync();
        foreach (DestinationChannel channel in _channels.Values.Concat(_redirectors))
            channel.Dispose();
        _host.Dispose();
        _journal.Dispose();
        Telemetry.Dispose();
        _stopping.Dispose();
    }

    private async Task StartAsync(PreparedServer server)
    {
        foreach (ConfiguredDestination destination in _configuration.Destinations)
        {
            _channels[destination.Host.Name] = new DestinationChannel(
                new DestinationAddress(destination.Host.Name, destination.Address), _configuration.Listen.Address, server.Credentials, Telemetry.Observe, _host.AnswerStray);
        }

        foreach (ConfiguredDestination redirector in _configuration.Redirectors)
        {
            _redirectors.Add(new DestinationChannel(
                new DestinationAddress(redirector.Host.Name, redirector.Address), _configuration.Listen.Address, server.Credentials, Telemetry.Observe));
        }

        if (_host.Redirection is AskedRedirection asked && _redirectors.Count > 0)
            asked.Redirectors = _redirectors;
        AgentOperations operations = new(this);
        operations.AddGauges();

        // First the passes of an earlier agent: no answer may be given that does not know of them, and no pass of their connections may begin.
        List<JournalRecord> ofOrigin = [];
        foreach (JournalRecord record in _journal.ReadAtStart().Where(record => record.Side != JournalSide.Home))
        {
            PassId pass = JournalRecords.IdOf(record);
            _claims.Expect(pass, record.Side == JournalSide.Origin ? HostRole.Origin : HostRole.Destination);
            if (record.Side == JournalSide.Destination)
            {
                _destination.Recover(record, _claims, _stopping.Token);
                continue;
            }

            _host.OriginPasses.BeginRecovery(pass, record.Connections.Select(EndPointWire.FromMessage));
            ofOrigin.Add(record);
        }

        _destination.OpenUnneededGates(ofOrigin.SelectMany(record => record.Connections).Select(EndPointWire.FromMessage));
        await server.Server.StartAsync();
        _local = LocalServer.Start(
            new LocalServices
            {
                Host = _configuration.Name,
                Version = AgentVersion.Current,
                Incarnation = _journal.Incarnation,
                Destinations = () => [.. _channels.Keys.Order(StringComparer.Ordinal)],
                TryRegister = _destination.TryRegister,
                Unregister = _destination.Unregister,
                PassAsync = PassAsync,
                Operations = operations,
                KnownPasses = _claims,
            },
            new LocalServerOptions
            {
                Path = _configuration.LocalSocket,
                ApplicationGroup = _configuration.ApplicationsGroup,
                OperatorGroup = _configuration.OperatorsGroup,
                MaxClients = _configuration.MaxClients,
            },
            what => _log.Local(what.Kind, what.Program, what.ProcessId, what.Detail));
        server.Export.Ready(() => _stopping.IsCancellationRequested ? "The agent stops." : null);
        foreach (JournalRecord record in ofOrigin)
            _ = RecoverAsync(record);
        foreach (DestinationChannel channel in _channels.Values.Concat(_redirectors))
            channel.KeepWarm();
        if (_configuration.Bounds.Congestion != Core.CongestionStart.Keep)
            _ = RemoveUnusedKeepAsync();
        if (!_hasTunnel)
            _ = RemoveUnusedTunnelAsync();
        if (_host.Redirection is Forward leaving)
            _ = EndLeftAddressesAsync(leaving);
        if (_host.Redirection is Forward forward)
            _endReports = StartEndReports(forward.Homes, _channels.Values);
        else if (_host.Redirection is AskedRedirection { HasEntries: true, Homes: { } homes })
            _endReports = StartEndReports(homes, _redirectors);
        _log.Ready(_configuration.Name, AgentVersion.Current, EndPoint.ToString(), _configuration.LocalSocket, _configuration.JournalDirectory, _journal.Incarnation);
    }

    private EndReports StartEndReports(KnownHomes homes, IReadOnlyCollection<IHomeAgent> channels)
    {
        EndReportTimes times = new()
        {
            All = _configuration.Bounds.CompareForwarded,
            FirstPause = _configuration.Bounds.ResolveBackOff,
            LongestPause = _configuration.Bounds.ResolveBackOffMax,
        };
        return EndReports.Start(
            homes,
            channels.Select(channel => new HomeReports(
                channel, homes, _host.Sockets.List, () => new HashSet<FourTuple>(_destination.OpenConnections.Concat(_host.OriginPasses.Connections)), times,
                TimeProvider.System, (home, count) => _log.EndsTold(home, count))),
            e => _log.Failed("The ends of connections that other hosts forward to here are not watched any more.", e));
    }

    private async Task RecoverAsync(JournalRecord record)
    {
        FourTuple[] connections = [.. record.Connections.Select(EndPointWire.FromMessage)];
        try
        {
            if (record.Holder is { } holder)
            {
                await UnawareSocket.RecoverAsync(holder, connections[0], (socket, concluded) =>
                {
                    Task<PassResult> recovered = OriginPass.RecoverAsync(_host, record, ConnectTo(record.Destination), [socket], heir: null, Telemetry.Observe, concluded);
                    _host.OriginPasses.EndRecovery(connections);
                    return recovered;
                });
                return;
            }

            using KnownPass? claim = await _claims.FindAsync(JournalRecords.IdOf(record), HostRole.Origin, connections, _stopping.Token);
            Task<PassResult> outcome = OriginPass.RecoverAsync(_host, record, ConnectTo(record.Destination),
                claim is null ? [] : PassClaims.TakeSockets(claim, connections), _destination.FindReceiver(record.Application), Telemetry.Observe);
            _host.OriginPasses.EndRecovery(connections);
            await ConcludeAsync(outcome, claim);
        }
        catch (OperationCanceledException)
        {
            // The agent stops; the journal has it.
        }
        catch (Exception e)
        {
            _log.Failed($"The pass {JournalRecords.IdOf(record)} of {connections[0]} could not be recovered.", e);
        }
    }

    // What an earlier agent has pinned, when it kept congestion windows. It ends the limits of pacing rates first.
    private async Task RemoveUnusedKeepAsync()
    {
        try
        {
            for (bool isFirst = true; KeptCongestion.RemoveUnused() is > 0 and int waiting; isFirst = false)
            {
                if (isFirst)
                    _log.CongestionKeepWaits(waiting);
                await Task.Delay(s_unused, _stopping.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // The next agent does.
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _log.Failed("What an earlier agent has pinned to keep congestion windows is not removed: 'tcpcp doctor --clean' tries it again.", e);
        }
    }

    // An address that has moved is here for the connections that stayed.
    private async Task EndLeftAddressesAsync(Forward forward)
    {
        while (!_stopping.IsCancellationRequested)
        {
            await Task.Delay(s_unused, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            try
            {
                IReadOnlyList<IPAddress> left = forward.LeftAddresses;
                if (left.Count == 0 || _stopping.IsCancellationRequested)
                    continue;
                HashSet<IPAddress> used = [.. _host.Sockets.List().Concat(_host.Sockets.List(Core.TcpState.SynReceived)).Select(socket => socket.Connection.Local.Address)];
                foreach (IPAddress address in left.Where(address => !used.Contains(address)))
                {
                    forward.EndLeftAddress(address);
                    _log.LeftAddressEnds(address);
                }
            }
            catch (Exception e)
            {
                _log.Failed("An address that is at another host was not taken off this one.", e);
            }
        }
    }

    // It was configured for an earlier agent; connections whose packets go through it are not cut off.
    private async Task RemoveUnusedTunnelAsync()
    {
        try
        {
            using RouteNetlink route = RouteNetlink.Open();
            for (bool isFirst = true; RemoveUnusedTunnel(route, _host.Sockets) is > 0 and int users; isFirst = false)
            {
                if (isFirst)
                    _log.TunnelStays(VxlanTunnel.DeviceName, users);
                await Task.Delay(s_unused, _stopping.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // The next agent does.
        }
        catch (Exception e) when (e is IOException)
        {
            _log.Failed($"The tunnel {VxlanTunnel.DeviceName}, which is not configured any more, is not removed.", e);
        }
    }

    private static int RemoveUnusedTunnel(RouteNetlink route, SocketDiagnostics sockets) => !route.Links.TryGet(VxlanTunnel.DeviceName, out _) ? 0
        : VxlanTunnel.RemoveUnused(route, (PacketSwitch.Find(SwitchPlace.Forward)?.Entries ?? []).Select(one => one.Entry), sockets.List().Select(socket => socket.Connection));

    private static async Task ConcludeAsync(Task<PassResult> outcome, KnownPass? claim)
    {
        PassResult result = await outcome;
        claim?.Conclude(result);
    }

    private LinkOpening ConnectTo(string destination) => _channels.TryGetValue(destination, out DestinationChannel? channel)
        ? channel.ConnectAsync
        : (_, _) => throw new LinkException($"No agent named '{destination}' is configured any more: add it to destinations, so that its verdict can be heard.");

    private static VxlanTunnel? OpenTunnel(AgentConfiguration configuration, IEnumerable<OtherHost> others)
    {
        using RouteNetlink route = RouteNetlink.Open();
        if (VxlanTunnel.Open(route, configuration.Listen.Address, [.. others.Where(other => other.TunnelTo is not null)]) is { } tunnel)
            return tunnel;
        using SocketDiagnostics sockets = new();
        RemoveUnusedTunnel(route, sockets);
        return null;
    }

    // Packets come through it also where no tunnel is configured any more, as long as connections use it.
    private static bool HasTunnelLink()
    {
        using RouteNetlink route = RouteNetlink.Open();
        return route.Links.TryGet(VxlanTunnel.DeviceName, out _);
    }

    private IReadOnlyList<IHomeAgent> FindHomes(string name) => name == HomeOrders.AnyHome ? [.. _channels.Values]
        : _channels.TryGetValue(name, out DestinationChannel? channel) ? [channel] : [];

    // This agent's journal does not know of the pass: it was lost, or the pass has ended. Only what the application noted counts.
    private void TakeUnexpected(KnownPass claim) => _ = TakeUnexpectedAsync(claim);

    private async Task TakeUnexpectedAsync(KnownPass claim)
    {
        using KnownPass taken = claim;
        try
        {
            if (claim.Role == HostRole.Destination)
            {
                _destination.TakeClaim(claim.Pass, claim.Terms.Ticket, claim.IsLive, PassClaims.TakeSockets(claim, claim.Connections));
                if (!claim.IsLive)
                    claim.Withdraw();
                return;
            }

            if (_host.OriginPasses.Find(claim.Pass) is { } running)
            {
                await ConcludeAsync(running.Outcome, claim); // the application has only lost its session
                return;
            }

            Task<PassResult> outcome = OriginPass.RecoverFromApplicationAsync(_host, claim.Pass, claim.Terms, claim.Application, claim.Destination, claim.State,
                PassClaims.TakeSockets(claim, claim.Connections), claim.Connections, ConnectTo(claim.Destination), Telemetry.Observe);
            await ConcludeAsync(outcome, claim);
        }
        catch (Exception e)
        {
            _log.Failed($"The pass {claim.Pass} that an application knows of could not be settled.", e);
        }
    }
}
