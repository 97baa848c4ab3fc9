using Tcpcp.Agent.Passing;

namespace Tcpcp.Agent.Tests.Recovery;

/// <summary>Where a connection may be after a fault.</summary>
[Flags]
public enum RecoveryOutcome
{
    /// <summary>It goes on at the origin.</summary>
    Origin = 1,

    /// <summary>It goes on at the destination.</summary>
    Destination = 2,

    /// <summary>It has ended, and the peer has heard it: by FIN or RST, as from any host whose program or kernel has died.</summary>
    Ended = 4,
}

/// <summary>What the design says about a fault at a step.</summary>
internal static class RecoveryRules
{
    public static readonly PassAction[] OriginSteps =
    [
        PassAction.Offered, PassAction.Begun, PassAction.Quiesced, PassAction.Frozen, PassAction.Captured, PassAction.SendingRecorded, PassAction.Sent,
        PassAction.Released, PassAction.Done,
    ];

    public static readonly PassAction[] DestinationSteps =
    [
        PassAction.Ready, PassAction.Diverted, PassAction.Received, PassAction.Restored, PassAction.Accepted, PassAction.Activating, PassAction.Woken,
        PassAction.Replayed, PassAction.Activated,
    ];

    private const RecoveryOutcome Anywhere = RecoveryOutcome.Origin | RecoveryOutcome.Destination;

    public static RecoveryOutcome Allowed(RecoveryFault fault, PassSide side, PassAction step)
    {
        bool isOrigin = side == PassSide.Origin;
        bool isDecided = isOrigin ? step >= PassAction.Released : step >= PassAction.Accepted;
        bool isSending = isOrigin ? step >= PassAction.SendingRecorded : step >= PassAction.Received;
        return fault switch
        {
            // A transfer that has left is decided without the origin.
            RecoveryFault.AgentKilled or RecoveryFault.BothAgentsKilled =>
                isDecided ? RecoveryOutcome.Destination : step == PassAction.Sent ? Anywhere : RecoveryOutcome.Origin,
            RecoveryFault.LinkCut => isDecided ? RecoveryOutcome.Destination : Anywhere,
            // Rule 4: the destination may have been active before it forgot everything. An origin that does not know of the boot yet sends.
            RecoveryFault.DestinationRebooted => isSending ? RecoveryOutcome.Ended
                : step is PassAction.Frozen or PassAction.Captured ? RecoveryOutcome.Origin | RecoveryOutcome.Ended
                : RecoveryOutcome.Origin,
            RecoveryFault.JournalDeleted when isOrigin => isDecided ? RecoveryOutcome.Destination : step == PassAction.Sent ? Anywhere : RecoveryOutcome.Origin,
            // Rule 3: only an application that holds the live socket can say what a lost journal does not.
            RecoveryFault.JournalDeleted => step == PassAction.Activated ? RecoveryOutcome.Destination | RecoveryOutcome.Ended : isSending ? RecoveryOutcome.Ended : RecoveryOutcome.Origin,
            RecoveryFault.SecondPass => RecoveryOutcome.Destination,
            // Without its state it cannot go on elsewhere; with it, it can.
            RecoveryFault.OriginApplicationKilled => isSending ? RecoveryOutcome.Destination
                : isOrigin && step < PassAction.Quiesced || step == PassAction.Ready ? RecoveryOutcome.Ended
                : RecoveryOutcome.Destination | RecoveryOutcome.Ended,
            RecoveryFault.DestinationApplicationKilled => isDecided ? RecoveryOutcome.Ended
                : step == PassAction.Restored ? RecoveryOutcome.Origin | RecoveryOutcome.Ended
                : RecoveryOutcome.Origin,
            RecoveryFault.AgentAndApplicationKilled when isOrigin => step switch
            {
                >= PassAction.Released => RecoveryOutcome.Destination,
                PassAction.Sent => Anywhere | RecoveryOutcome.Ended,
                _ => RecoveryOutcome.Ended,
            },
            // From its record the connection is made again for the application that takes the dead one's place, until it has lived.
            RecoveryFault.AgentAndApplicationKilled => !isDecided ? RecoveryOutcome.Origin
                : step < PassAction.Woken ? RecoveryOutcome.Destination | RecoveryOutcome.Ended
                : RecoveryOutcome.Ended,
            _ => throw new ArgumentOutOfRangeException(nameof(fault)),
        };
    }
}
