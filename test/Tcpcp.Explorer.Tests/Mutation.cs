using Tcpcp.Core;
using Tcpcp.Core.Passing;

namespace Tcpcp.Explorer.Tests;

/// <summary>One rule switched off: in the tables by a decorator, or in what performs their effects.</summary>
/// <param name="Name">Of the rule that does not hold.</param>
/// <param name="Does">What is done instead.</param>
/// <param name="Scenario">Where that shows.</param>
internal sealed record Mutation(string Name, string Does, Scenario Scenario)
{
    public Tables Tables { get; init; } = Tables.Shipped;

    public Rules Rules { get; init; } = Rules.All;

    public override string ToString() => Name;

    /// <summary>The origin's table with its steps changed.</summary>
    public static Tables Origin(Func<OriginState, OriginInput, OriginStep, OriginStep> change) => new()
    {
        Origin = (state, input) => change(state, input, OriginTable.Next(state, input)),
    };

    /// <summary>The origin's table with effects changed in every step, that of a recovery too.</summary>
    public static Tables OriginEffects(Func<OriginEffect[], OriginEffect[]> change) => new()
    {
        Origin = (state, input) => With(OriginTable.Next(state, input), change),
        RecoverOrigin = (record, terms, outcome) => With(OriginTable.Recover(record, terms, outcome), change),
        RecoverFromApplication = (terms, isFrozen) => With(OriginTable.RecoverFromApplication(terms, isFrozen), change),
    };

    /// <summary>The destination's table with its steps changed.</summary>
    public static Tables Destination(Func<DestinationState, DestinationInput, DestinationStep, DestinationStep> change) => new()
    {
        Destination = (state, input) => change(state, input, DestinationTable.Next(state, input)),
    };

    /// <summary>The destination's table with effects changed in every step, that of a recovery too.</summary>
    public static Tables DestinationEffects(Func<DestinationEffect[], DestinationEffect[]> change) => new()
    {
        Destination = (state, input) => With(DestinationTable.Next(state, input), change),
        RecoverDestination = (record, terms) => With(DestinationTable.Recover(record, terms), change),
    };

    public static OriginStep With(OriginStep step, Func<OriginEffect[], OriginEffect[]> change) => step with { Effects = change(step.Effects) };

    public static DestinationStep With(DestinationStep step, Func<DestinationEffect[], DestinationEffect[]> change) =>
        step with { Effects = change(step.Effects) };
}
