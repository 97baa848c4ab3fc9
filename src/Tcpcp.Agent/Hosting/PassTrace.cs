using System.Collections.Concurrent;
using System.Diagnostics;
using Tcpcp.Agent.Passing;
using Tcpcp.Core;

namespace Tcpcp.Agent.Hosting;

/// <summary>One side's part of the trace of a pass: a span for the pass, and in it a span for each step. Both sides are one trace, named by the pass.</summary>
internal sealed class PassTrace
{
    private static readonly ActivitySource s_source = new(PassTelemetry.Source);

    private readonly Activity _pass;
    private Activity? _step;

    private PassTrace(Activity pass) => _pass = pass;

    /// <summary>The origin's span of a pass, for the destination's to stand below it; empty if nobody traces.</summary>
    public static ReadOnlyMemory<byte> SpanOf(ConcurrentDictionary<(PassId, PassSide), PassTrace> traces, PassId pass)
    {
        if (!traces.TryGetValue((pass, PassSide.Origin), out PassTrace? trace))
            return default;
        byte[] span = new byte[8];
        trace._pass.SpanId.CopyTo(span);
        return span;
    }

    private static void Begin(ConcurrentDictionary<(PassId, PassSide), PassTrace> traces, PassId pass, PassSide side, ReadOnlySpan<byte> parent)
    {
        if (!s_source.HasListeners())
            return;
        Span<byte> id = stackalloc byte[16];
        pass.Value.TryWriteBytes(id, bigEndian: true, out _); // as it is written in logs
        ActivitySpanId above = parent.Length == 8 ? ActivitySpanId.CreateFromBytes(parent) : ActivitySpanId.CreateFromBytes(id[8..]);
        ActivityContext context = new(ActivityTraceId.CreateFromBytes(id), above, ActivityTraceFlags.Recorded, isRemote: parent.Length == 8);
        if (s_source.StartActivity(side == PassSide.Origin ? "pass" : "take", ActivityKind.Internal, context) is not { } activity)
            return;
        Activity.Current = null; // steps come from any thread
        traces[(pass, side)] = new PassTrace(activity);
    }

    public static void Observe(ConcurrentDictionary<(PassId, PassSide), PassTrace> traces, PassStep step)
    {
        if (traces.IsEmpty && !s_source.HasListeners())
            return;
        (PassId, PassSide) key = (step.Pass, step.Side);
        if (!traces.TryGetValue(key, out PassTrace? trace))
        {
            if (step.Action is not (PassAction.Offered or PassAction.Ready or PassAction.Refused or PassAction.Recovered))
                return; // comes after the end: an undo at the destination follows its refusal
            Begin(traces, step.Pass, step.Side, step.TraceParent.Span);
            if (!traces.TryGetValue(key, out trace))
                return;
        }

        if (trace.Note(step))
            traces.TryRemove(key, out _);
    }

    // A step ends when it is reported, and the next begins.
    private bool Note(PassStep step)
    {
        lock (_pass)
        {
            Activity? ended = _step ?? s_source.StartActivity(ActivityKind.Internal, _pass.Context, name: step.Action.ToString());
            if (ended is not null)
            {
                ended.DisplayName = step.Action.ToString();
                if (step.Detail.Length > 0)
                    ended.SetTag("detail", step.Detail);
                ended.Stop();
            }

            bool isLast = step.Action is PassAction.Done || (step.Side == PassSide.Destination && step.Action is PassAction.Activated or PassAction.Refused);
            if (!isLast)
            {
                _step = s_source.StartActivity(ActivityKind.Internal, _pass.Context, name: "next");
                Activity.Current = null;
                return false;
            }

            _pass.SetTag("connection", step.Connection.ToString()).SetTag("pass", step.Pass.ToString()).SetTag("other.host", step.OtherHost);
            if (step.Failure != PassFailure.None || step.Action is PassAction.Refused)
                _pass.SetStatus(ActivityStatusCode.Error, step.Detail);
            _pass.Stop();
            return true;
        }
    }
}
