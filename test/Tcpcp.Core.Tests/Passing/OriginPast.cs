using Tcpcp.Core.Passing;
using static Tcpcp.Core.Passing.OriginInput;
using static Tcpcp.Core.Passing.OriginState;
using static Tcpcp.Core.Tests.Passing.TableSamples;

namespace Tcpcp.Core.Tests.Passing;

/// <summary>What has happened to the origin's connections so far.</summary>
/// <param name="Journal">The last record.</param>
/// <param name="Outcome">What it says of how the pass ends.</param>
/// <param name="IsGateClosed">Nothing goes in or out.</param>
/// <param name="IsFrozen">In repair mode, and not closed.</param>
/// <param name="MayHaveSent">The transfer has left.</param>
/// <param name="Decision">The verdict of this pass's ticket, or the operator's, that was taken while the pass waited for one.</param>
/// <param name="HasThawed">The sockets go on here.</param>
/// <param name="HasClosed">The copies are closed.</param>
/// <param name="RoutingHasLeft">No packet comes here any more.</param>
/// <param name="HasDied">The agent, once at least.</param>
internal readonly record struct OriginPast(
    OriginRecord? Journal,
    PassOutcome? Outcome,
    bool IsGateClosed,
    bool IsFrozen,
    bool MayHaveSent,
    OriginInput? Decision,
    bool HasThawed,
    bool HasClosed,
    bool RoutingHasLeft,
    bool HasDied)
{
    public OriginPast After(OriginState before, OriginInput input) => (before, input) switch
    {
        (Sending or InDoubt, VerdictHeard verdict) when verdict.Ticket == Ticket => this with { Decision = input },
        (InDoubt, OperatorAbandons or OperatorSaysDestinationIsDead) => this with { Decision = input },
        (_, RoutingLeft) => this with { RoutingHasLeft = true },
        _ => this,
    };

    public OriginPast After(OriginEffect effect) => effect switch
    {
        OriginEffect.Record record => this with { Journal = record.Kind, Outcome = record.Outcome },
        OriginEffect.CloseGate => this with { IsGateClosed = true },
        OriginEffect.EnterRepair => this with { IsFrozen = true },
        OriginEffect.SendTransfer => this with { MayHaveSent = true },
        OriginEffect.Thaw => this with { IsFrozen = false, HasThawed = true },
        OriginEffect.CloseSilently => this with { IsFrozen = false, HasClosed = true },
        OriginEffect.OpenGate => this with { IsGateClosed = false },
        _ => this,
    };

    /// <summary>A decision that was not on record yet is forgotten; what is done to the connections stays done.</summary>
    public OriginPast AfterDeath() => this with { HasDied = true, Decision = Journal == OriginRecord.Sending ? null : Decision };
}
