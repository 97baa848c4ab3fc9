using static Tcpcp.Core.Passing.DestinationInput;
using static Tcpcp.Core.Passing.DestinationState;

namespace Tcpcp.Core.Passing;

/// <summary>The destination's side of a pass as a pure table. The verdict falls here, once: in the steps to Accepted or Refused.</summary>
internal static class DestinationTable
{
    /// <exception cref="InvalidOperationException">The input is not legal in that state.</exception>
    public static DestinationState Next(DestinationState state, DestinationInput input) => (state, input) switch
    {
        (Offered, DivertMade) => new Holding(),
        (Offered or Holding, SocketsRestored) => new Restored(),
        (Restored, AcceptRecorded) => new Accepted(),
        (Accepted, Activated) => new Active(),

        // Before the verdict every doubt refuses; afterwards none does. A lost link alone decides nothing once the packets come here: the
        // origin may ask again, or the time be up.
        (Offered or Holding or Restored, Declined declined) => new Refused(declined.Failure),
        (Offered or Holding or Restored, TimeIsUp) => new Refused(PassFailure.Expired),
        (Offered or Holding or Restored, ResolveHeard) => new Refused(PassFailure.Expired),
        (Offered or Holding or Restored, UndoHeard) => new Refused(PassFailure.Cancelled),
        (Offered, ForgetHeard) => new Forgotten(),
        (Offered, LinkLost) => new Refused(PassFailure.DestinationUnreachable),

        (Active or Refused, ForgetHeard) => new Forgotten(),
        (Accepted or Active or Refused or Forgotten, Declined or TimeIsUp or ResolveHeard or UndoHeard) => state,
        (Forgotten, ForgetHeard) => state,
        (_, LinkLost) => state,
        _ => throw new InvalidOperationException($"{input.GetType().Name} is not legal in {state.GetType().Name}."),
    };
}
