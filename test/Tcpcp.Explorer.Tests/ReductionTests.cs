using Tcpcp.Core;
using Tcpcp.Core.Passing;

namespace Tcpcp.Explorer.Tests;

/// <summary>What the explorer leaves out must not be what it looks for.</summary>
public class ReductionTests(ITestOutputHelper output)
{
    private static readonly Scenario[] s_compared = [Scenario.OnePass with { Faults = 1 }, Scenario.ThereAndBack with { Emissions = 1 }];

    private static readonly PassFailure[] s_reasons = [PassFailure.Cancelled, PassFailure.Conflict, PassFailure.Expired];

    private static readonly PassTerms s_terms = new(Codes.Ticket(1), 1);

    public static TheoryData<string> Compared => [.. s_compared.Select(scenario => scenario.ToString())];

    [Theory]
    [MemberData(nameof(Compared))]
    public void Nothing_is_found_with_all_orders_and_dead_messages_either(string name)
    {
        Scenario scenario = s_compared.Single(scenario => scenario.ToString() == name);
        Findings findings = new Explorer(new Model(scenario, Tables.Shipped, Rules.All, reduces: false)).Explore();
        output.WriteLine($"{findings}");
        Console.WriteLine($"{findings} | not reduced");
        Assert.True(findings.Breach == Breach.None, $"{findings}\n{findings.Trace}");
    }

    [Fact]
    public void A_mutation_that_is_found_is_found_reduced_as_well() => Assert.All(
        Mutations.All.Where(mutation => mutation.Scenario.Passes.Length == 1 && mutation.Scenario.Faults < 2),
        mutation => Assert.NotEqual(Breach.None, new Explorer(new Model(mutation.Scenario, mutation.Tables, mutation.Rules)).Explore().Breach));

    /// <summary>Situations make all reasons one: no step may depend on which it was.</summary>
    [Fact]
    public void The_origins_steps_do_not_depend_on_the_reason()
    {
        Func<PassFailure, OriginState>[] states =
        [
            reason => new OriginState.Undoing(s_terms, reason), reason => new OriginState.Thawed(s_terms, reason),
            reason => new OriginState.Abandoning(s_terms, reason), reason => new OriginState.Settled(s_terms, reason, ConnectionOwner.Origin),
            reason => new OriginState.Done(reason, ConnectionOwner.Origin), _ => new OriginState.Offering(1), _ => new OriginState.Beginning(s_terms),
            _ => new OriginState.Diverting(s_terms), _ => new OriginState.Freezing(s_terms), _ => new OriginState.Sending(s_terms),
            _ => new OriginState.InDoubt(s_terms),
        ];
        Func<PassFailure, OriginInput>[] inputs =
        [
            _ => new OriginInput.TimeIsUp(), _ => new OriginInput.RedirectionAcknowledged(s_terms.UndoNumber), reason => new OriginInput.StepFailed(reason),
            reason => new OriginInput.VerdictHeard(s_terms.Ticket, PassVerdict.Refused, reason),
            reason => new OriginInput.VerdictHeard(s_terms.Ticket, PassVerdict.Unknown, reason),
            reason => new OriginInput.OfferRefused(reason), _ => new OriginInput.ForgetAcknowledged(),
        ];
        foreach (Func<PassFailure, OriginState> state in states)
        {
            foreach (Func<PassFailure, OriginInput> input in inputs)
            {
                Assert.Single(s_reasons.Select(reason =>
                {
                    OriginStep step = OriginTable.Next(state(reason), input(reason));
                    return Shape(step.State, step.Effects);
                }).Distinct(StringComparer.Ordinal));
            }
        }
    }

    [Fact]
    public void The_destinations_steps_do_not_depend_on_the_reason()
    {
        Func<PassFailure, DestinationState>[] states =
        [
            reason => new DestinationState.Refused(s_terms, reason), _ => new DestinationState.Offered(s_terms), _ => new DestinationState.Restoring(s_terms),
        ];
        Func<PassFailure, DestinationInput>[] inputs =
        [
            _ => new DestinationInput.TimeIsUp(), reason => new DestinationInput.Declined(reason), _ => new DestinationInput.TransferHeard(s_terms.Ticket),
            _ => new DestinationInput.ResolveHeard(s_terms.Ticket, LivesHere: false), _ => new DestinationInput.UndoHeard(s_terms.Ticket),
            _ => new DestinationInput.ForgetHeard(s_terms.Ticket),
        ];
        foreach (Func<PassFailure, DestinationState> state in states)
        {
            foreach (Func<PassFailure, DestinationInput> input in inputs)
            {
                Assert.Single(s_reasons.Select(reason =>
                {
                    DestinationStep step = DestinationTable.Next(state(reason), input(reason));
                    return Shape(step.State, step.Effects);
                }).Distinct(StringComparer.Ordinal));
            }
        }
    }

    private static string Shape(object state, IEnumerable<object> effects) =>
        string.Join(", ", effects.Prepend(state).Select(part => part.GetType().Name));
}
