using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;
using Tcpcp.Agent.Link;
using Tcpcp.Agent.Passing;
using Tcpcp.Core;

namespace Tcpcp.Agent.Hosting;

/// <summary>Turns what happens in passes and on links into metrics, traces and logs. Four-tuples stand in logs and traces, never on metrics.</summary>
internal sealed class PassTelemetry : IDisposable
{
    /// <summary>Name of the meter and of the source of traces.</summary>
    public const string Source = "Tcpcp";

    /// <summary>Upper bounds of the blackout's buckets, in seconds.</summary>
    public static readonly double[] BlackoutBuckets =
        [0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5];

    private readonly Meter _meter = new(Source);
    private readonly Counter<long> _passes;
    private readonly Histogram<double> _blackout;
    private readonly Counter<long> _replayed;
    private readonly Counter<long> _dropped;
    private readonly Counter<long> _links;
    private readonly ConcurrentDictionary<(PassId, PassSide), PassTrace> _traces = new();
    private readonly ILogger _log;
    private readonly PassObserver? _observer;
    private long _passedOut;
    private long _passedIn;
    private long _refused;
    private long _failed;
    private long _held;

    /// <param name="observer">Hears of every step too; null: nobody.</param>
    public PassTelemetry(ILogger log, PassObserver? observer = null)
    {
        (_log, _observer) = (log, observer);
        _passes = _meter.CreateCounter<long>("tcpcp_passes", description: "Passes that have ended, by side and outcome.");
        _blackout = _meter.CreateHistogram<double>("tcpcp_blackout_seconds", "s", "Time from the divert to the activation of connections that came here.");
        _replayed = _meter.CreateCounter<long>("tcpcp_held_packets", description: "Packets that were held during a pass and have arrived.");
        _dropped = _meter.CreateCounter<long>("tcpcp_dropped_packets", description: "Packets that there was no room to hold.");
        _links = _meter.CreateCounter<long>("tcpcp_link_events", description: "What happened on links to other agents, by kind.");
    }

    public long PassedOut => Volatile.Read(ref _passedOut);

    public long PassedIn => Volatile.Read(ref _passedIn);

    public long Refused => Volatile.Read(ref _refused);

    public long Failed => Volatile.Read(ref _failed);

    public long HeldPackets => Volatile.Read(ref _held);

    /// <summary>Adds a value that is looked at when somebody asks for the metrics.</summary>
    public void AddGauge(string name, Func<long> value, string description) => _meter.CreateObservableGauge(name, value, description: description);

    /// <summary>The origin's span of a pass; empty if nobody traces.</summary>
    public ReadOnlyMemory<byte> SpanOf(PassId pass) => PassTrace.SpanOf(_traces, pass);

    public void Observe(PassStep step)
    {
        _observer?.Invoke(step);
        PassTrace.Observe(_traces, step);
        switch (step.Action)
        {
            case PassAction.Done:
                Conclude(step);
                break;
            case PassAction.Activated:
                Interlocked.Increment(ref _passedIn);
                Count(step.Side, PassFailure.None);
                _blackout.Record(step.Blackout!.Value.TotalSeconds);
                _log.Came(step.Connection, step.OtherHost, (long)step.Blackout.Value.TotalMicroseconds, step.ReplayedPackets, step.Pass);
                break;
            case PassAction.Refused when step.Side == PassSide.Destination:
                Interlocked.Increment(ref _refused);
                _passes.Add(1, new("side", "destination"), new("outcome", "refused"));
                _log.Refused(step.Connection, step.OtherHost, step.Detail, step.Pass);
                break;
            case PassAction.Replayed or PassAction.Thawed:
                _replayed.Add(step.ReplayedPackets);
                _dropped.Add(step.DroppedPackets);
                Interlocked.Add(ref _held, step.ReplayedPackets);
                Log(step);
                break;
            case PassAction.InDoubt:
                _log.InDoubt(step.Connection, step.OtherHost, step.Detail, step.Pass);
                break;
            case PassAction.Restored when step.Detail.Length > 0:
                _log.NotKept(step.Detail, step.Pass);
                break;
            case PassAction.Broken:
                _log.Broken(step.Connection, step.Side, step.Detail, step.Pass);
                break;
            case PassAction.Recovered:
                _log.Recovered(step.Connection, step.Detail, step.Pass);
                break;
            default:
                Log(step);
                break;
        }
    }

    public void Observe(LinkEvent happened)
    {
        _links.Add(1, new KeyValuePair<string, object?>("kind", happened.Kind.ToString()));
        if (happened.Kind is LinkEventKind.Connected or LinkEventKind.CertificateReloaded)
            _log.Link(happened.Detail);
        else
            _log.LinkTrouble(happened.Detail);
    }

    public void Dispose() => _meter.Dispose();

    private void Conclude(PassStep step)
    {
        ConnectionOwner owner = step.Owner ?? ConnectionOwner.InDoubt;
        Count(step.Side, step.Failure);
        if (step.Failure == PassFailure.None)
        {
            Interlocked.Increment(ref _passedOut);
            _log.Passed(step.Connection, step.OtherHost, step.Pass);
            return;
        }

        Interlocked.Increment(ref _failed);
        _log.NotPassed(step.Connection, step.OtherHost, owner, step.Detail, step.Pass);
    }

    private void Count(PassSide side, PassFailure failure) => _passes.Add(1,
        new("side", side == PassSide.Origin ? "origin" : "destination"), new("outcome", failure == PassFailure.None ? "passed" : failure.ToString()));

    private void Log(PassStep step)
    {
        if (_log.IsEnabled(LogLevel.Debug))
            _log.Step(step.Connection, step.Side, step.Action, step.Detail, step.Pass);
    }
}
