using Tcpcp.Core;
using Tcpcp.Core.Passing;
using static Tcpcp.Explorer.Tests.Mutation;

namespace Tcpcp.Explorer.Tests;

/// <summary>Every rule of a pass, switched off alone.</summary>
internal static class Mutations
{
    public static IReadOnlyList<Mutation> OfTheOrigin { get; } =
    [
        new("Sending is on record before the transfer leaves", "the transfer leaves first", OnePass(Fault.AgentKilled))
        {
            Tables = Origin((_, _, step) => step.State is OriginState.Sending ? With(step, effects => [.. effects.Reverse()]) : step),
        },
        // Alone it is not missed: the application remembers the pass as well, and brings it back.
        new("Begun is on record before the first effect, and the application knows of the pass", "neither before the freeze", OnePass(Fault.AgentKilled))
        {
            Tables = Origin((state, _, step) => (state, step.State) switch
            {
                (_, OriginState.Beginning) => With(step, _ => [new OriginEffect.Quiesce()]),
                (OriginState.Diverting diverting, OriginState.Freezing) =>
                    With(step, effects => [.. effects[..2], new OriginEffect.Record(OriginRecord.Begun, diverting.Terms), .. effects[2..]]),
                _ => step,
            }),
        },
        new("a verdict is about an incarnation", "the origin takes a verdict of another one", OnePass(Fault.MessageRepeated | Fault.HostReboots))
        {
            Tables = new Tables
            {
                Origin = (state, input) => OriginTable.Next(state, input is OriginInput.VerdictHeard heard && OriginSide.TermsOf(state) is { } terms
                    && heard.Ticket.Number == terms.Ticket.Number ? heard with { Ticket = terms.Ticket } : input),
            },
        },
        new("the origin's gate is closed before the freeze", "it stays open", OnePass(Fault.None))
        {
            Tables = OriginEffects(effects => [.. effects.Where(effect => effect is not OriginEffect.CloseGate)]),
        },
        new("the application knows of the pass", "it is not told", OnePass(Fault.JournalLost))
        {
            Tables = OriginEffects(effects => [.. effects.Where(effect => effect is not OriginEffect.TellApplication)]),
        },
        new("Unknown is not Refused", "the origin thaws on it", OnePass(Fault.HostReboots))
        {
            Tables = new Tables
            {
                Origin = (state, input) => OriginTable.Next(state, input is OriginInput.VerdictHeard { Verdict: PassVerdict.Unknown } heard
                    ? heard with { Verdict = PassVerdict.Refused } : input),
            },
        },
        new("nobody comes to own a connection by waiting", "in doubt, the origin thaws when its time is up", OnePass(Fault.None))
        {
            Tables = new Tables
            {
                Origin = (state, input) => (state, input) is (OriginState.InDoubt, OriginInput.TimeIsUp)
                    ? OriginTable.Next(state, new OriginInput.OperatorSaysDestinationIsDead()) : OriginTable.Next(state, input),
            },
        },
    ];

    public static IReadOnlyList<Mutation> OfTheDestination { get; } =
    [
        new("another incarnation answers Unknown", "it answers Refused", OnePass(Fault.HostReboots))
        {
            Tables = DestinationEffects(effects => [.. effects.Select(effect => effect is DestinationEffect.SendVerdict { Verdict: PassVerdict.Unknown } verdict
                ? verdict with { Verdict = PassVerdict.Refused } : effect)]),
        },
        new("Accepted is kept until the Forget", "it is dropped once the connections live", Scenario.Chain with { Emissions = 1 })
        {
            Tables = Destination((_, _, step) => step.State is DestinationState.Active active
                ? new(new DestinationState.Forgotten(active.Terms.Ticket.Incarnation),
                    new DestinationEffect.Record(DestinationRecord.Forgotten, active.Terms)) : step),
        },
        new("the verdict falls once", "asked before it, the destination says Refused and goes on", OnePass(Fault.None))
        {
            Tables = Destination((state, input, step) => (state, input) is (DestinationState.Restoring restoring, DestinationInput.ResolveHeard)
                ? new(state, new DestinationEffect.SendVerdict(restoring.Terms.Ticket, PassVerdict.Refused, PassFailure.Expired)) : step),
        },
        new("the destination's gate is closed before Ready", "it stays open", OnePass(Fault.None))
        {
            Tables = DestinationEffects(effects => [.. effects.Where(effect => effect is not DestinationEffect.CloseGate)]),
        },
        new("refused, the gate stays closed until the Forget", "it opens with the verdict", OnePass(Fault.None))
        {
            Tables = Destination((_, _, step) => step.State is DestinationState.Refused && step.Effects.Any(effect => effect is DestinationEffect.Discard)
                ? With(step, effects => [.. effects, new DestinationEffect.OpenGate()]) : step),
        },
    ];

    public static IReadOnlyList<Mutation> OfTheRest { get; } =
    [
        new("redirections are numbered", "the redirector obeys whatever comes", OnePass(Fault.None))
        {
            Tables = new Tables
            {
                Redirector = (_, order) => new RedirectorStep(new RedirectorState.Placed(order.Number, order.Target),
                    new RedirectorEffect.Place(order.Target), new RedirectorEffect.Acknowledge(order.Number)),
            },
        },
        new("the redirector's acknowledgement is awaited", "an order counts as done when it is sent", OnePass(Fault.None))
        {
            Rules = Rules.All with { AwaitsRedirector = false },
        },
        new("after a boot a host is quiet", "its gate is open", OnePass(Fault.HostReboots)) { Rules = Rules.All with { QuietAfterBoot = false } },
        new("one open pass per connection", "two begin", Scenario.TwoDestinations with { Emissions = 1 })
        {
            Rules = Rules.All with { OneOpenPass = false },
        },
        new("a gate belongs to a pass", "every pass opens it", Scenario.Retry with { Emissions = 1, Faults = 1, Kinds = Fault.MessageRepeated })
        {
            Rules = Rules.All with { GateBelongsToPass = false },
        },
        new("Accepted holds the snapshots", "it does not", OnePass(Fault.AgentKilled | Fault.ApplicationDies))
        {
            Rules = Rules.All with { AcceptedHoldsSnapshot = false },
        },
        new("sockets are made again behind a gate that was never open", "whenever there are none", OnePass(Fault.AgentKilled | Fault.ApplicationDies))
        {
            Rules = Rules.All with { RebuildsBehindGateOnly = false },
        },
        new("a pass id is used once", "the origin uses it again", OnePass(Fault.MessageRepeated)) { Rules = Rules.All with { PassIdOnce = false } },
        new("live sockets are evidence", "the application is not asked", OnePass(Fault.JournalLost))
        {
            Rules = Rules.All with { LiveSocketsAreEvidence = false },
        },
        new("a ticket's number is new", "every ticket has the same", OnePass(Fault.AgentKilled | Fault.MessageRepeated))
        {
            Rules = Rules.All with { NewTicketNumbers = false },
        },
    ];

    public static IEnumerable<Mutation> All => [.. OfTheOrigin, .. OfTheDestination, .. OfTheRest];

    // As many faults as there are kinds, one of each.
    private static Scenario OnePass(Fault kinds) =>
        Scenario.OnePass with { Faults = System.Numerics.BitOperations.PopCount((uint)kinds), Kinds = kinds };
}
