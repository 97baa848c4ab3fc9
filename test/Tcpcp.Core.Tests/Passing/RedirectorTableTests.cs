using Tcpcp.Core.Passing;
using static Tcpcp.Core.Tests.Passing.TableSamples;

namespace Tcpcp.Core.Tests.Passing;

public class RedirectorTableTests
{
    private static readonly Expectations s_expected = new(
        """
        Unplaced + Lower(elsewhere)                       -> Placed(5, B): Place(B), Acknowledge(5)
        Unplaced + Lower(same target)                     -> Placed(5, A): Place(A), Acknowledge(5)
        Unplaced + Equal(elsewhere)                       -> Placed(6, B): Place(B), Acknowledge(6)
        Unplaced + Equal(same target)                     -> Placed(6, A): Place(A), Acknowledge(6)
        Unplaced + Higher(elsewhere)                      -> Placed(7, B): Place(B), Acknowledge(7)
        Unplaced + Higher(same target)                    -> Placed(7, A): Place(A), Acknowledge(7)
        Placed   + Lower(elsewhere), Lower(same target)   -> Placed(6, A): Acknowledge(6)
        Placed   + Equal(elsewhere), Equal(same target)   -> Placed(6, A): Acknowledge(6)
        Placed   + Higher(elsewhere)                      -> Placed(7, B): Place(B), Acknowledge(7)
        Placed   + Higher(same target)                    -> Placed(7, A): Place(A), Acknowledge(7)
        """,
        """
        order               | Unplaced | Placed
        Lower(elsewhere)    | Placed   | Placed
        Lower(same target)  | Placed   | Placed
        Equal(elsewhere)    | Placed   | Placed
        Equal(same target)  | Placed   | Placed
        Higher(elsewhere)   | Placed   | Placed
        Higher(same target) | Placed   | Placed
        """);

    public static IEnumerable<TheoryDataRow<string, string>> Pairs =>
        from state in RedirectorStates.Keys
        from order in RedirectionOrders.Keys
        select new TheoryDataRow<string, string>(state, order);

    [Theory]
    [MemberData(nameof(Pairs))]
    public void Each_order_in_each_state_leads_where_the_protocol_says(string state, string order)
    {
        RedirectorStep step = RedirectorTable.Next(RedirectorStates[state], RedirectionOrders[order]);
        Assert.Equal(s_expected.Of(state, order), step.State.GetType().Name);
        Assert.Equal(s_expected.StepOf(state, order), StepText.Of(step));
    }

    [Fact]
    public void The_expectations_are_about_states_and_orders_that_exist()
    {
        Assert.Equal(RedirectorStates.Keys, s_expected.States);
        Assert.Equal(RedirectionOrders.Keys, s_expected.Inputs);
        Assert.Equal(s_expected.Changes.Order(), s_expected.Steps.Order());
    }

    [Fact]
    public void Orders_of_one_number_each_end_the_same_way_however_they_come()
    {
        RedirectionOrder divert = new(Terms.DivertNumber, There);
        RedirectionOrder undo = new(Terms.UndoNumber, Here);
        RedirectionOrder next = new((Terms with { Epoch = Terms.Epoch + 1 }).DivertNumber, There);
        RedirectionOrder[][] arrivals =
        [
            [divert, undo, next], [divert, next, undo], [undo, divert, next],
            [undo, next, divert], [next, divert, undo], [next, undo, divert],
            [divert, divert, undo, next, undo, divert],
        ];
        RedirectorState unplaced = new RedirectorState.Unplaced();
        Assert.All(arrivals, arrival => Assert.Equal(
            new RedirectorState.Placed(8, There), arrival.Aggregate(unplaced, (state, order) => RedirectorTable.Next(state, order).State)));
    }
}
