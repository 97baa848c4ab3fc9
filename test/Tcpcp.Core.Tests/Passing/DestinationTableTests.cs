using Tcpcp.Core.Passing;
using static Tcpcp.Core.Passing.DestinationInput;
using static Tcpcp.Core.Passing.DestinationState;
using static Tcpcp.Core.Tests.Passing.TableSamples;

namespace Tcpcp.Core.Tests.Passing;

public class DestinationTableTests
{
    private static readonly Expectations s_expected = new("""
        input           | Offered   | Holding  | Restored | Accepted | Active    | Refused   | Forgotten
        DivertMade      | Holding   | -        | -        | -        | -         | -         | -
        SocketsRestored | Restored  | Restored | -        | -        | -         | -         | -
        AcceptRecorded  | -         | -        | Accepted | -        | -         | -         | -
        Activated       | -         | -        | -        | Active   | -         | -         | -
        Declined        | Refused   | Refused  | Refused  | =        | =         | =         | =
        TimeIsUp        | Refused   | Refused  | Refused  | =        | =         | =         | =
        ResolveHeard    | Refused   | Refused  | Refused  | =        | =         | =         | =
        LinkLost        | Refused   | =        | =        | =        | =         | =         | =
        UndoHeard       | Refused   | Refused  | Refused  | =        | =         | =         | =
        ForgetHeard     | Forgotten | -        | -        | -        | Forgotten | Forgotten | =
        """);

    private static readonly DestinationState s_start = new Offered();

    public static IEnumerable<TheoryDataRow<string, string>> Pairs =>
        from state in DestinationStates.Keys
        from input in DestinationInputs.Keys
        select new TheoryDataRow<string, string>(state, input);

    [Theory]
    [MemberData(nameof(Pairs))]
    public void Each_input_in_each_state_leads_where_the_protocol_says(string stateName, string inputName)
    {
        (DestinationState state, DestinationInput input) = (DestinationStates[stateName], DestinationInputs[inputName]);
        string expected = s_expected.Of(stateName, inputName);
        if (expected == Expectations.Illegal)
        {
            InvalidOperationException illegal = Assert.Throws<InvalidOperationException>(() => DestinationTable.Next(state, input));
            Assert.Equal($"{inputName} is not legal in {stateName}.", illegal.Message);
            return;
        }

        DestinationState next = DestinationTable.Next(state, input);
        if (expected == Expectations.Same)
        {
            Assert.Equal(state, next);
            return;
        }

        Assert.Equal(expected, next.GetType().Name);
        Assert.Equal(next is Refused ? ExpectedFailure(input) : null, DataOf<PassFailure>(next, "Failure"));
    }

    [Fact]
    public void The_expectations_are_about_states_and_inputs_that_exist()
    {
        Assert.Equal(DestinationStates.Keys.Order(StringComparer.Ordinal), s_expected.States.Order(StringComparer.Ordinal));
        Assert.Equal(DestinationInputs.Keys.Order(StringComparer.Ordinal), s_expected.Inputs.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Accepted_and_refused_never_follow_each_other() => Walk.Through(
        s_start, Inputs, DestinationTable.Next, history: (Accepted: false, Refused: false),
        remember: (history, _, _, after) => (history.Accepted || after is Accepted or Active, history.Refused || after is Refused),
        check: (history, before, _, after) =>
        {
            Assert.False(history.Accepted && after is Refused, $"{before} came to {after} after it was accepted.");
            Assert.False(history.Refused && after is Accepted or Active, $"{before} came to {after} after it was refused.");
        });

    [Fact]
    public void What_is_accepted_stays_so_until_it_is_active_and_the_origin_forgets_it() => Walk.Through(
        s_start, Inputs, DestinationTable.Next, history: 0, remember: (_, _, _, _) => 0,
        check: (_, before, input, after) =>
        {
            if (before is Accepted)
                Assert.True(after is Accepted || (after is Active && input is Activated), $"{input} led from {before} to {after}.");
            if (before is Active)
                Assert.True(after is Active || (after is Forgotten && input is ForgetHeard), $"{input} led from {before} to {after}.");
        });

    [Fact]
    public void A_forgotten_pass_stays_forgotten() =>
        Assert.All(Inputs.Where(input => s_expected.Of("Forgotten", input.GetType().Name) != Expectations.Illegal), input =>
            Assert.IsType<Forgotten>(DestinationTable.Next(new Forgotten(), input)));

    [Fact]
    public void Every_state_can_be_reached_and_from_every_one_the_pass_can_be_forgotten()
    {
        HashSet<(DestinationState State, int)> reached = Reach(s_start);
        Assert.Equal(DestinationStates.Keys.Order(StringComparer.Ordinal), reached.Select(pair => pair.State.GetType().Name).Distinct().Order(StringComparer.Ordinal));
        Assert.All(reached, pair => Assert.Contains(Reach(pair.State), end => end.State is Forgotten));
    }

    private static DestinationInput[] Inputs => [.. DestinationInputs.Values];

    private static HashSet<(DestinationState State, int)> Reach(DestinationState start) =>
        Walk.Through(start, Inputs, DestinationTable.Next, history: 0, remember: (_, _, _, _) => 0, check: (_, _, _, _) => { });

    private static PassFailure? ExpectedFailure(DestinationInput input) => input switch
    {
        TimeIsUp or ResolveHeard => PassFailure.Expired,
        UndoHeard => PassFailure.Cancelled,
        LinkLost => PassFailure.DestinationUnreachable,
        _ => Failure,
    };
}
