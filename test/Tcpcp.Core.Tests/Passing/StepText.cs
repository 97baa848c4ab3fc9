using Tcpcp.Core.Passing;
using static Tcpcp.Core.Tests.Passing.TableSamples;

namespace Tcpcp.Core.Tests.Passing;

/// <summary>
/// States and effects with all that they carry, as a line: <c>Undoing(Cancelled): Record(Undoing), Redirect(back)</c>. Terms, tickets
/// and numbers are left out if they are those of the sample pass, and written if they are others.
/// </summary>
internal static class StepText
{
    public static string Of(OriginStep step) => Line(Of(step.State), step.Effects.Select(Of));

    public static string Of(DestinationStep step) => Line(Of(step.State), step.Effects.Select(Of));

    public static string Of(RedirectorStep step) => Line(Of(step.State), step.Effects.Select(Of));

    public static string Of(OriginState state) => state switch
    {
        OriginState.Offering offering => $"Offering{Unless(Terms.Epoch, offering.Epoch)}",
        OriginState.Beginning beginning => $"Beginning{Unless(Terms, beginning.Terms)}",
        OriginState.Diverting diverting => $"Diverting{Unless(Terms, diverting.Terms)}",
        OriginState.Freezing freezing => $"Freezing{Unless(Terms, freezing.Terms)}",
        OriginState.Sending sending => $"Sending{Unless(Terms, sending.Terms)}",
        OriginState.InDoubt doubt => $"InDoubt{Unless(Terms, doubt.Terms)}",
        OriginState.Undoing undoing => $"Undoing({undoing.Failure}){Unless(Terms, undoing.Terms)}",
        OriginState.Thawed thawed => $"Thawed({thawed.Failure}){Unless(Terms, thawed.Terms)}",
        OriginState.Releasing releasing => $"Releasing{Unless(Terms, releasing.Terms)}",
        OriginState.Abandoning abandoning => $"Abandoning({abandoning.Failure}){Unless(Terms, abandoning.Terms)}",
        OriginState.Settled settled => $"Settled({settled.Failure}, {settled.Owner}){Unless(Terms, settled.Terms)}",
        OriginState.Done done => $"Done({done.Failure}, {done.Owner})",
        _ => throw new NotSupportedException($"Say here how {state.GetType().Name} is written."),
    };

    public static string Of(OriginEffect effect) => effect switch
    {
        OriginEffect.SendOffer offer => $"SendOffer{Unless(Terms.Epoch, offer.Epoch)}",
        OriginEffect.Record record => $"Record({record.Kind}){Unless(Terms, record.Terms)}", // its outcome is that of the state, by a test
        OriginEffect.TellApplication tell => $"TellApplication{Unless(Terms, tell.Terms)}",
        OriginEffect.Quiesce => "Quiesce",
        OriginEffect.Redirect { ToDestination: true } redirect => $"Redirect(there){Unless(Terms.DivertNumber, redirect.Number)}",
        OriginEffect.Redirect redirect => $"Redirect(back){Unless(Terms.UndoNumber, redirect.Number)}",
        OriginEffect.CloseGate => "CloseGate",
        OriginEffect.EnterRepair => "EnterRepair",
        OriginEffect.Capture => "Capture",
        OriginEffect.SendTransfer transfer => $"SendTransfer{Unless(Terms, transfer.Terms)}",
        OriginEffect.SendResolve resolve => $"SendResolve{Unless(Terms, resolve.Terms)}",
        OriginEffect.Thaw => "Thaw",
        OriginEffect.OpenGate => "OpenGate",
        OriginEffect.HandBack => "HandBack",
        OriginEffect.CloseSilently => "CloseSilently",
        OriginEffect.AwaitRoutingLeft left => $"AwaitRoutingLeft{Unless(Terms.DivertNumber, left.Number)}",
        OriginEffect.SendForget forget => $"SendForget{Unless(Terms, forget.Terms)}",
        _ => throw new NotSupportedException($"Say here how {effect.GetType().Name} is written."),
    };

    public static string Of(DestinationState state) => state switch
    {
        DestinationState.Unknown unknown => $"Unknown{Unless(Ticket.Incarnation, unknown.Incarnation)}",
        DestinationState.Offered offered => $"Offered{Unless(Terms, offered.Terms)}",
        DestinationState.Restoring restoring => $"Restoring{Unless(Terms, restoring.Terms)}",
        DestinationState.Accepted accepted => $"Accepted{(accepted.IsReleased ? "(released)" : "")}{Unless(Terms, accepted.Terms)}",
        DestinationState.Active active => $"Active{Unless(Terms, active.Terms)}",
        DestinationState.Refused refused => $"Refused({refused.Failure}){Unless(Terms, refused.Terms)}",
        DestinationState.Forgotten forgotten => $"Forgotten{Unless(Ticket.Incarnation, forgotten.Incarnation)}",
        _ => throw new NotSupportedException($"Say here how {state.GetType().Name} is written."),
    };

    public static string Of(DestinationEffect effect) => effect switch
    {
        DestinationEffect.Record record => $"Record({record.Kind}){Unless(Terms, record.Terms)}",
        DestinationEffect.CloseGate => "CloseGate",
        DestinationEffect.ArmHold => "ArmHold",
        DestinationEffect.SendReady ready => $"SendReady{Unless(Terms, ready.Terms)}",
        DestinationEffect.SendOfferRefused refused => $"SendOfferRefused({refused.Failure})",
        DestinationEffect.RestoreDormant => "RestoreDormant",
        DestinationEffect.HandToApplication => "HandToApplication",
        DestinationEffect.RecoverDormant => "RecoverDormant",
        DestinationEffect.LeaveRepair => "LeaveRepair",
        DestinationEffect.OpenGate => "OpenGate",
        DestinationEffect.Go => "Go",
        DestinationEffect.Discard => "Discard",
        DestinationEffect.SendVerdict { Failure: PassFailure.None } sent => $"SendVerdict({sent.Verdict}){Unless(Ticket, sent.Ticket)}",
        DestinationEffect.SendVerdict sent => $"SendVerdict({sent.Verdict}, {sent.Failure}){Unless(Ticket, sent.Ticket)}",
        DestinationEffect.SendActive active => $"SendActive{Unless(Terms, active.Terms)}",
        DestinationEffect.SendForgotten forgotten => $"SendForgotten{Unless(Ticket, forgotten.Ticket)}",
        DestinationEffect.SendHeld held => $"SendHeld{Unless(Ticket, held.Ticket)}",
        _ => throw new NotSupportedException($"Say here how {effect.GetType().Name} is written."),
    };

    public static string Of(RedirectorState state) => state switch
    {
        RedirectorState.Unplaced => "Unplaced",
        RedirectorState.Placed placed => $"Placed({placed.Number}, {placed.Target.Host})",
        _ => throw new NotSupportedException($"Say here how {state.GetType().Name} is written."),
    };

    public static string Of(RedirectorEffect effect) => effect switch
    {
        RedirectorEffect.Place place => $"Place({place.Target.Host})",
        RedirectorEffect.Acknowledge acknowledge => $"Acknowledge({acknowledge.Number})",
        _ => throw new NotSupportedException($"Say here how {effect.GetType().Name} is written."),
    };

    private static string Line(string state, IEnumerable<string> effects) =>
        string.Join(", ", effects) is { Length: > 0 } all ? $"{state}: {all}" : state;

    private static string Unless<T>(T own, T value)
        where T : struct => EqualityComparer<T>.Default.Equals(own, value) ? "" : $"[{value}]";
}
