using Tcpcp.Agent.Link;
using Tcpcp.Core;

namespace Tcpcp.Agent.Redirection;

/// <summary>At an owner that passes connections on to a third host: has their home send the packets there, and here again to undo it.</summary>
/// <param name="homes">The home; after a loss of the journal every host that it could be.</param>
/// <param name="answerTime">How long it may take to answer.</param>
internal sealed class HomeOrders(IReadOnlyList<IHomeAgent> homes, PassId pass, IReadOnlyList<FourTuple> connections, TimeSpan answerTime)
{
    /// <summary>For the name of a home in the journal: it is not known any more which one it is.</summary>
    public const string AnyHome = "*";

    private int _packetBytes;

    /// <summary>Name of the home's agent.</summary>
    public string Home => homes.Count == 1 ? homes[0].HomeName : AnyHome;

    /// <summary>Before anything has changed: would it be done?</summary>
    /// <exception cref="RedirectionException">The home would not do it, or does not answer.</exception>
    /// <returns>The highest number that holds: that of the next pass must be above it.</returns>
    /// <param name="packetBytes">How large the peers' packets may be.</param>
    public async Task<ulong> AskAsync(OtherHost destination, int packetBytes, CancellationToken cancellationToken)
    {
        _packetBytes = packetBytes;
        return (await OrderAsync(new RepointOrder(pass, connections, destination.Name, Number: 0, IsQuestion: true) { PacketBytes = packetBytes }, cancellationToken)).Number;
    }

    /// <summary>The packets go to the destination when this returns.</summary>
    /// <returns>The number that holds now.</returns>
    /// <exception cref="RedirectionException">They do not, or it is not known.</exception>
    public async Task<ulong> SendAwayAsync(OtherHost destination, ulong number, CancellationToken cancellationToken) =>
        (await OrderAsync(new RepointOrder(pass, connections, destination.Name, number) { PacketBytes = _packetBytes }, cancellationToken)).Number;

    /// <summary>The pass is over, and nothing will be taken back: the home knows when this returns.</summary>
    /// <exception cref="RedirectionException">It does not answer.</exception>
    public async Task SettleAsync(ulong number)
    {
        using CancellationTokenSource limit = new(answerTime);
        foreach (IHomeAgent home in homes)
        {
            try
            {
                await home.RepointAsync(new RepointOrder(pass, connections, Host: "", number) { IsSettled = true }, limit.Token);
            }
            catch (Exception e) when (e is LinkException or OperationCanceledException)
            {
                throw new RedirectionException($"{home.HomeName}, which forwards the packets of {connections[0]}, was not told that the pass is over. {e.Message}", e);
            }
        }
    }

    /// <summary>The packets come here again when this returns.</summary>
    /// <returns>Name of the home's agent; null if nobody forwards them: they come by themselves, or never again.</returns>
    /// <exception cref="LinkException">The home does not answer.</exception>
    public async Task<string?> TakeBackAsync(ulong number)
    {
        if (homes.Count == 0)
            throw new LinkException("The agent of the home that forwards the packets is not configured any more: add it to destinations, so that they can come back.");
        using CancellationTokenSource limit = new(answerTime);
        foreach (IHomeAgent home in homes)
        {
            try
            {
                if ((await home.RepointAsync(new RepointOrder(pass, connections, Host: "", number), limit.Token)).Obstacle is null)
                    return home.HomeName;
            }
            catch (LinkException) when (homes.Count > 1)
            {
                // The home is another one, or has to be asked again by an operator's restart.
            }
            catch (OperationCanceledException e)
            {
                throw new LinkException($"The agent of {home.HomeName} did not answer within {answerTime.TotalSeconds} s.", e);
            }
        }

        return null;
    }

    private async Task<RepointAnswer> OrderAsync(RepointOrder order, CancellationToken cancellationToken)
    {
        IHomeAgent home = homes[0];
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(answerTime);
        try
        {
            RepointAnswer answer = await home.RepointAsync(order, limit.Token);
            return answer.Obstacle is null ? answer : throw new RedirectionException(
                $"{home.HomeName}, whose address {connections[0]} has, does not send its packets on to {order.Host}. {answer.Obstacle}");
        }
        catch (LinkException e)
        {
            throw new RedirectionException($"{home.HomeName} forwards the packets of {connections[0]}, and has to send them elsewhere. {e.Message}", e);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new RedirectionException(
                $"{home.HomeName} forwards the packets of {connections[0]}, has to send them elsewhere, and did not answer within {answerTime.TotalSeconds} s.", e);
        }
    }
}
