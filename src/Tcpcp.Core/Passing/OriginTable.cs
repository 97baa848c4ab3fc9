using static Tcpcp.Core.Passing.OriginInput;
using static Tcpcp.Core.Passing.OriginState;

namespace Tcpcp.Core.Passing;

/// <summary>The origin's side of a pass as a pure table. The driver performs what the new state asks for.</summary>
internal static class OriginTable
{
    /// <exception cref="InvalidOperationException">The input is not legal in that state.</exception>
    public static OriginState Next(OriginState state, OriginInput input) => (state, input) switch
    {
        (Offering, DestinationReady ready) => new Prepared(ready.Ticket),
        (Offering, DestinationRefused refused) => new Done(refused.Failure, ConnectionOwner.Origin),
        (Offering or Prepared, StepFailed failed) => new Done(failed.Failure, ConnectionOwner.Origin),
        (Offering or Prepared, LinkLost) => new Done(PassFailure.DestinationUnreachable, ConnectionOwner.Origin),
        (Prepared prepared, VerdictHeard verdict) when verdict.Ticket == prepared.Ticket && verdict.Verdict != PassVerdict.Accepted =>
            new Done(verdict.Failure, ConnectionOwner.Origin),
        (Prepared prepared, BeginRecorded) => new Begun(prepared.Ticket),

        (Begun begun, DivertAcknowledged) => new Diverted(begun.Ticket),
        (Diverted diverted, SocketFrozen) => new Frozen(diverted.Ticket),
        (Frozen frozen, SnapshotCaptured) => new Captured(frozen.Ticket),
        (Captured captured, SendingRecorded) => new Sending(captured.Ticket),

        // The snapshot has not left: the origin may undo by itself.
        (Begun or Diverted or Frozen or Captured, StepFailed failed) => new Undoing(failed.Failure),
        (Begun or Diverted or Frozen or Captured, LinkLost) => new Undoing(PassFailure.DestinationUnreachable),
        (Begun or Diverted or Frozen or Captured, VerdictHeard verdict) when IsAbout(state, verdict.Ticket) && verdict.Verdict != PassVerdict.Accepted =>
            new Undoing(verdict.Failure),

        // It has, or may have: only the verdict decides.
        (Sending sending, LinkLost or StepFailed) => new InDoubt(sending.Ticket),
        (InDoubt, LinkLost or StepFailed) => state,
        (Sending or InDoubt, VerdictHeard verdict) when IsAbout(state, verdict.Ticket) => verdict.Verdict switch
        {
            PassVerdict.Accepted => new Releasing(verdict.Ticket),
            PassVerdict.Refused => new Undoing(verdict.Failure),
            _ => new Abandoning(), // it may have accepted, been active and lost its memory: never thaw
        },

        (Undoing undoing, UndoCompleted) => new Done(undoing.Failure, ConnectionOwner.Origin),
        (Undoing or Releasing or Abandoning, LinkLost) => state,
        (Releasing, RoutingLeft) => new Done(PassFailure.None, ConnectionOwner.Destination),
        (Abandoning, RoutingLeft) => new Done(PassFailure.DestinationForgot, ConnectionOwner.Nobody),

        // Late, repeated, or about another ticket.
        (Prepared or Begun or Diverted or Frozen or Captured or Sending or InDoubt or Undoing or Releasing or Abandoning or Done, VerdictHeard) => state,
        _ => throw new InvalidOperationException($"{input.GetType().Name} is not legal in {state.GetType().Name}."),
    };

    private static bool IsAbout(OriginState state, PassTicket ticket) => ticket == state switch
    {
        Begun begun => begun.Ticket,
        Diverted diverted => diverted.Ticket,
        Frozen frozen => frozen.Ticket,
        Captured captured => captured.Ticket,
        Sending sending => sending.Ticket,
        InDoubt doubt => doubt.Ticket,
        _ => null,
    };
}
