using System.Diagnostics;
using System.Runtime.CompilerServices;
using Tcpcp.Agent.Link;
using Tcpcp.Agent.Local;
using Tcpcp.Agent.Passing;
using Tcpcp.Agent.Redirection;
using Tcpcp.Client;
using Tcpcp.Core;
using Tcpcp.Core.Passing;

namespace Tcpcp.Agent.Hosting;

/// <summary>What operators ask of an agent.</summary>
internal sealed class AgentOperations(AgentHost agent) : ILocalOperations
{
    // Behind the gate a frozen socket has this user timeout.
    private static readonly TimeSpan s_kernelTime = TimeSpan.FromHours(1);
    private static readonly TimeSpan s_pingTime = TimeSpan.FromSeconds(1);

    private readonly long _startedAt = Stopwatch.GetTimestamp();

    public void AddGauges()
    {
        PassTelemetry telemetry = agent.Telemetry;
        telemetry.AddGauge("tcpcp_open_passes", () => OpenPasses().Count, "Passes that have not ended, of both sides.");
        telemetry.AddGauge("tcpcp_in_doubt", () => InDoubt().Count, "Passes whose owner is not known here.");
        telemetry.AddGauge("tcpcp_applications", () => agent.Local.Applications.Count, "Applications that take connections.");
        telemetry.AddGauge("tcpcp_links", () => agent.Channels.Values.Count(channel => channel.IsConnected), "Links to other agents that stand.");
        telemetry.AddGauge("tcpcp_journal_bytes", () => agent.Journal.LengthBytes, "Size of the journal.");
    }

    public ValueTask<IReadOnlyList<OpenPass>> ListPassesAsync(bool inDoubtOnly, CancellationToken cancellationToken) =>
        ValueTask.FromResult<IReadOnlyList<OpenPass>>(inDoubtOnly ? InDoubt() : OpenPasses());

    public async Task<PassResult> SettleAsync(PassId pass, SettleWay way, CancellationToken cancellationToken)
    {
        OriginPass found = agent.Host.OriginPasses.Find(pass)
            ?? throw new OperationRefusedException($"No pass {pass} from this host is open. 'tcpcp resolve' lists those that are.");
        if (way != SettleWay.AskAgain && found.State is not OriginState.InDoubt)
            throw new OperationRefusedException($"The pass {pass} is not in doubt: it is {found.State.GetType().Name}.");
        found.Order(way switch
        {
            SettleWay.Abandon => new OriginInput.OperatorAbandons(),
            SettleWay.DestinationIsDead => new OriginInput.OperatorSaysDestinationIsDead(),
            _ => null,
        });
        Task<PassResult> outcome = found.Outcome;
        await Task.WhenAny(outcome, Task.Delay(agent.Host.Options.AnswerTime + agent.Host.Options.AnswerTime, cancellationToken));
        return outcome.IsCompletedSuccessfully ? await outcome : new PassResult(PassFailure.InDoubt, ConnectionOwner.InDoubt, found.Detail);
    }

    public async IAsyncEnumerable<DrainProgress> DrainAsync(DrainOrder order, [EnumeratorCancellation] CancellationToken stop)
    {
        using AgentDrain drain = new(agent, order);
        await foreach (DrainProgress progress in drain.RunAsync(stop))
            yield return progress;
    }

    public async ValueTask<AgentStatus> GetStatusAsync(CancellationToken cancellationToken)
    {
        DestinationStatus[] destinations = await Task.WhenAll(agent.Channels.Values.OrderBy(channel => channel.Destination.Name, StringComparer.Ordinal)
            .Select(channel => StatusOfAsync(channel, cancellationToken)));
        RedirectorStatus[] redirectors = agent.Host.Redirection is AskedRedirection asked
            ? await Task.WhenAll(asked.Redirectors.Select(redirector => StatusOfAsync(asked, redirector, cancellationToken))) : [];
        return new AgentStatus
        {
            AgentVersion = AgentVersion.Current,
            Host = agent.Configuration.Name,
            Incarnation = agent.Journal.Incarnation,
            Uptime = Stopwatch.GetElapsedTime(_startedAt),
            Applications = agent.Local.Applications,
            Destinations = destinations,
            Redirectors = redirectors,
            OpenPasses = OpenPasses().Count,
            InDoubt = InDoubt().Count,
            PassedOut = agent.Telemetry.PassedOut,
            PassedIn = agent.Telemetry.PassedIn,
            Refused = agent.Telemetry.Refused,
            Failed = agent.Telemetry.Failed,
            HeldPackets = agent.Telemetry.HeldPackets,
            JournalBytes = agent.Journal.LengthBytes,
            Redirection = agent.Configuration.Redirection,
        };
    }

    private static async Task<RedirectorStatus> StatusOfAsync(AskedRedirection asked, IRedirectorAgent redirector, CancellationToken cancellationToken)
    {
        OutstandingOrders orders = asked.OrdersTo(redirector);
        (int count, TimeSpan? oldest) = orders.Look();
        RedirectorStatus status = new() { Name = redirector.RedirectorName, OutstandingOrders = count, OldestOrder = oldest, Fault = orders.Fault ?? "" };
        if (redirector is not DestinationChannel channel)
        {
            string? fault = HookRedirector.FindFault(redirector.RedirectorName);
            return status with { IsConnected = fault is null, Fault = fault ?? status.Fault };
        }

        TimeSpan? roundTrip = await MeasureAsync(channel, cancellationToken);
        return status with
        {
            Address = channel.Destination.EndPoint.ToString(),
            IsConnected = roundTrip is not null,
            RoundTrip = roundTrip,
            Fault = roundTrip is null && channel.Fault is { } unreached ? unreached : status.Fault,
        };
    }

    private static async Task<DestinationStatus> StatusOfAsync(DestinationChannel channel, CancellationToken cancellationToken)
    {
        TimeSpan? roundTrip = await MeasureAsync(channel, cancellationToken);
        return new DestinationStatus(channel.Destination.Name, channel.Destination.EndPoint.ToString(), roundTrip is not null, roundTrip);
    }

    // Null: it does not answer.
    private static async Task<TimeSpan?> MeasureAsync(DestinationChannel channel, CancellationToken cancellationToken)
    {
        TimeSpan? roundTrip = null;
        using CancellationTokenSource timer = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timer.CancelAfter(s_pingTime);
        try
        {
            if (channel.IsConnected)
            {
                long asked = Stopwatch.GetTimestamp();
                await channel.PingAsync(timer.Token);
                roundTrip = Stopwatch.GetElapsedTime(asked);
            }
        }
        catch (Exception e) when (e is LinkException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            // It does not answer: that is what there is to say.
        }

        return roundTrip;
    }

    private List<OpenPass> InDoubt() => [.. OpenOrigins().Where(pass => pass.State == nameof(OriginState.InDoubt))];

    private List<OpenPass> OpenPasses() =>
    [
        .. OpenOrigins(),
        .. agent.Destination.List().Select(pass => new OpenPass(pass.Id, HostRole.Destination, pass.StateName, pass.Names, pass.Application, pass.OriginName, pass.Age,
            KernelTimeLeft: null, pass.Detail)),
    ];

    private IEnumerable<OpenPass> OpenOrigins() => agent.Host.OriginPasses.All.Select(pass => new OpenPass(pass.Id, HostRole.Origin, pass.State.GetType().Name,
        pass.Connections, pass.Application, pass.Destination.Name, pass.Age, pass.InDoubtFor is { } since ? s_kernelTime - since : null, pass.Detail));
}
