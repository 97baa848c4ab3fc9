using Tcpcp.Core.Passing;

namespace Tcpcp.Core.Tests.Passing;

/// <summary>What has happened to the destination's connections so far.</summary>
/// <param name="Journal">The last record.</param>
/// <param name="IsGateClosed">Nothing goes in or out.</param>
/// <param name="IsHolding">What comes is held.</param>
/// <param name="IsDormant">There are copies in repair mode.</param>
/// <param name="IsLive">The connections live here.</param>
/// <param name="HasAccepted">That record was written at some time.</param>
/// <param name="HasRefused">Likewise.</param>
internal readonly record struct DestinationPast(
    DestinationRecord? Journal, bool IsGateClosed, bool IsHolding, bool IsDormant, bool IsLive, bool HasAccepted, bool HasRefused)
{
    public DestinationPast After(DestinationEffect effect) => effect switch
    {
        DestinationEffect.Record record => this with
        {
            Journal = record.Kind,
            HasAccepted = HasAccepted || record.Kind == DestinationRecord.Accepted,
            HasRefused = HasRefused || record.Kind == DestinationRecord.Refused,
        },
        DestinationEffect.CloseGate => this with { IsGateClosed = true },
        DestinationEffect.ArmHold => this with { IsHolding = true },
        DestinationEffect.RestoreDormant => this with { IsDormant = true },
        DestinationEffect.RecoverDormant => this with { IsDormant = !IsLive },
        DestinationEffect.LeaveRepair => this with { IsDormant = false, IsLive = true },
        DestinationEffect.Discard => this with { IsDormant = false },
        DestinationEffect.OpenGate => this with { IsGateClosed = false, IsHolding = false },
        _ => this,
    };
}
