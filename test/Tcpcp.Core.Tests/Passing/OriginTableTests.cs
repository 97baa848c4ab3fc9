using Tcpcp.Core.Passing;
using static Tcpcp.Core.Passing.OriginInput;
using static Tcpcp.Core.Passing.OriginState;
using static Tcpcp.Core.Tests.Passing.TableSamples;

namespace Tcpcp.Core.Tests.Passing;

public class OriginTableTests
{
    private static readonly Expectations s_expected = new("""
        input               | Offering | Prepared | Begun    | Diverted | Frozen   | Captured | Sending    | InDoubt    | Undoing | Releasing | Abandoning | Done
        DestinationReady    | Prepared | -        | -        | -        | -        | -        | -          | -          | -       | -         | -          | -
        DestinationRefused  | Done     | -        | -        | -        | -        | -        | -          | -          | -       | -         | -          | -
        StepFailed          | Done     | Done     | Undoing  | Undoing  | Undoing  | Undoing  | InDoubt    | =          | -       | -         | -          | -
        BeginRecorded       | -        | Begun    | -        | -        | -        | -        | -          | -          | -       | -         | -          | -
        DivertAcknowledged  | -        | -        | Diverted | -        | -        | -        | -          | -          | -       | -         | -          | -
        SocketFrozen        | -        | -        | -        | Frozen   | -        | -        | -          | -          | -       | -         | -          | -
        SnapshotCaptured    | -        | -        | -        | -        | Captured | -        | -          | -          | -       | -         | -          | -
        SendingRecorded     | -        | -        | -        | -        | -        | Sending  | -          | -          | -       | -         | -          | -
        LinkLost            | Done     | Done     | Undoing  | Undoing  | Undoing  | Undoing  | InDoubt    | =          | =       | =         | =          | -
        Accepted            | -        | =        | =        | =        | =        | =        | Releasing  | Releasing  | =       | =         | =          | =
        Refused             | -        | Done     | Undoing  | Undoing  | Undoing  | Undoing  | Undoing    | Undoing    | =       | =         | =          | =
        Unknown             | -        | Done     | Undoing  | Undoing  | Undoing  | Undoing  | Abandoning | Abandoning | =       | =         | =          | =
        Accepted of another | -        | =        | =        | =        | =        | =        | =          | =          | =       | =         | =          | =
        Refused of another  | -        | =        | =        | =        | =        | =        | =          | =          | =       | =         | =          | =
        Unknown of another  | -        | =        | =        | =        | =        | =        | =          | =          | =       | =         | =          | =
        UndoCompleted       | -        | -        | -        | -        | -        | -        | -          | -          | Done    | -         | -          | -
        RoutingLeft         | -        | -        | -        | -        | -        | -        | -          | -          | -       | Done      | Done       | -
        """);

    private static readonly OriginState s_start = new Offering();

    public static IEnumerable<TheoryDataRow<string, string>> Pairs =>
        from state in OriginStates.Keys
        from input in OriginInputs.Keys
        select new TheoryDataRow<string, string>(state, input);

    [Theory]
    [MemberData(nameof(Pairs))]
    public void Each_input_in_each_state_leads_where_the_protocol_says(string stateName, string inputName)
    {
        (OriginState state, OriginInput input) = (OriginStates[stateName], OriginInputs[inputName]);
        string expected = s_expected.Of(stateName, inputName);
        if (expected == Expectations.Illegal)
        {
            InvalidOperationException illegal = Assert.Throws<InvalidOperationException>(() => OriginTable.Next(state, input));
            Assert.Equal($"{input.GetType().Name} is not legal in {stateName}.", illegal.Message);
            return;
        }

        OriginState next = OriginTable.Next(state, input);
        if (expected == Expectations.Same)
        {
            Assert.Equal(state, next);
            return;
        }

        Assert.Equal(expected, next.GetType().Name);
        Assert.Equal(DataOf<PassTicket>(next, "Ticket") is null ? null : Mine, DataOf<PassTicket>(next, "Ticket"));
        Assert.Equal(next is Done or Undoing ? ExpectedFailure(state, input) : null, DataOf<PassFailure>(next, "Failure"));
        Assert.Equal(next is Done ? ExpectedOwner(state) : null, DataOf<ConnectionOwner>(next, "Owner"));
    }

    [Fact]
    public void The_expectations_are_about_states_and_inputs_that_exist()
    {
        Assert.Equal(OriginStates.Keys.Order(StringComparer.Ordinal), s_expected.States.Order(StringComparer.Ordinal));
        Assert.Equal(OriginInputs.Keys.Order(StringComparer.Ordinal), s_expected.Inputs.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Once_sending_is_recorded_only_a_refusal_with_the_right_ticket_leads_back() => Walk.Through(
        s_start, Inputs, OriginTable.Next, history: false,
        remember: (sent, _, _, after) => sent || after is Sending,
        check: (sent, before, input, after) =>
        {
            if (sent && before is not Undoing && after is Undoing)
                Assert.Equal(new VerdictHeard(Mine, PassVerdict.Refused, Failure), input);
            if (sent && after is Done { Owner: ConnectionOwner.Origin })
                Assert.True(before is Undoing or Done, $"{before} came to {after} without an undo.");
        });

    [Theory]
    [InlineData(nameof(PassVerdict.Unknown), ConnectionOwner.Nobody)]
    [InlineData(nameof(PassVerdict.Accepted), ConnectionOwner.Destination)]
    [InlineData(nameof(PassVerdict.Refused), ConnectionOwner.Origin)]
    public void The_first_verdict_heard_after_sending_decides_whatever_comes_later(string verdictName, ConnectionOwner owner)
    {
        PassVerdict verdict = Enum.Parse<PassVerdict>(verdictName);
        HashSet<(OriginState State, PassVerdict? First)> reached = Walk.Through(
            s_start, Inputs, OriginTable.Next, history: (PassVerdict?)null,
            remember: (first, before, input, _) => first
                ?? (before is Sending or InDoubt && input is VerdictHeard heard && heard.Ticket == Mine ? heard.Verdict : null),
            check: (_, _, _, _) => { });
        OriginState[] states = [.. reached.Where(pair => pair.First == verdict).Select(pair => pair.State)];
        Assert.Contains(states, state => state is Done);
        Assert.All(states, state => Assert.True(
            state switch
            {
                Done done => done.Owner == owner,
                Undoing => verdict == PassVerdict.Refused, // the only way to a thaw
                Releasing => verdict == PassVerdict.Accepted,
                Abandoning => verdict == PassVerdict.Unknown,
                _ => false,
            },
            $"{state} was reached after {verdict}."));
    }

    [Fact]
    public void An_owner_is_never_taken_back() => Walk.Through(
        s_start, Inputs, OriginTable.Next, history: 0, remember: (_, _, _, _) => 0,
        check: (_, before, _, after) =>
        {
            if (before is Done)
                Assert.Equal(before, after);
        });

    [Fact]
    public void Every_state_can_be_reached_and_from_every_one_the_pass_can_end()
    {
        HashSet<(OriginState State, int)> reached = Reach(s_start);
        Assert.Equal(OriginStates.Keys.Order(StringComparer.Ordinal), reached.Select(pair => pair.State.GetType().Name).Distinct().Order(StringComparer.Ordinal));
        Assert.All(reached, pair => Assert.Contains(Reach(pair.State), end => end.State is Done));
    }

    private static OriginInput[] Inputs => [.. OriginInputs.Values];

    private static HashSet<(OriginState State, int)> Reach(OriginState start) =>
        Walk.Through(start, Inputs, OriginTable.Next, history: 0, remember: (_, _, _, _) => 0, check: (_, _, _, _) => { });

    private static PassFailure? ExpectedFailure(OriginState state, OriginInput input) => (state, input) switch
    {
        (Releasing, RoutingLeft) => PassFailure.None,
        (Abandoning, RoutingLeft) => PassFailure.DestinationForgot,
        (_, LinkLost) => PassFailure.DestinationUnreachable,
        _ => Failure,
    };

    private static ConnectionOwner? ExpectedOwner(OriginState state) => state switch
    {
        Releasing => ConnectionOwner.Destination,
        Abandoning => ConnectionOwner.Nobody,
        _ => ConnectionOwner.Origin,
    };
}
