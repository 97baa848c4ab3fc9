using Tcpcp.Agent.Link;
using Tcpcp.Core;
using Tcpcp.Linux.Netlink;

namespace Tcpcp.Agent.Redirection;

/// <summary>
/// Redirection by third parties that the origin asks over their agents: gateways in the path, or hosts that route the service address. All of them have to acknowledge.
/// Both hosts have the service address, and do not answer for it on the layer 2.
/// </summary>
/// <param name="name">As the configuration has it.</param>
/// <param name="findAddressObstacle">What speaks against moving connections with all others of their address; null: they move single ones.</param>
/// <param name="limit">How long an answer may take.</param>
internal sealed class AskedRedirection(string name, Func<IReadOnlyList<FourTuple>, string?>? findAddressObstacle, TimeSpan limit) : IRedirection
{
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(50);

    private readonly RouteNetlink _route = RouteNetlink.Open();
    private readonly System.Collections.Concurrent.ConcurrentDictionary<string, OutstandingOrders> _orders = new(StringComparer.OrdinalIgnoreCase);

    public string Name => name;

    /// <summary>This host.</summary>
    public required OtherHost Own { get; init; }

    /// <summary>They have an entry of each connection, which its owner has to have removed at its end.</summary>
    public bool HasEntries { get; init; }

    /// <summary>Who is asked. Set before the first pass.</summary>
    public IReadOnlyList<IRedirectorAgent> Redirectors { get; set; } = [];

    /// <summary>Which of them have entries of this host's connections, with the numbers that brought them here.</summary>
    public KnownHomes Homes { get; } = new();

    /// <summary>What a redirector has not acknowledged.</summary>
    public OutstandingOrders OrdersTo(IRedirectorAgent redirector) => _orders.GetOrAdd(redirector.RedirectorName, _ => new OutstandingOrders());

    public async ValueTask<RedirectionPlan> PlanAsync(IReadOnlyList<FourTuple> connections, OtherHost destination, CancellationToken cancellationToken)
    {
        if (findAddressObstacle?.Invoke(connections) is { } obstacle)
            return new RedirectionPlan(Redirector.Origin, obstacle);
        try
        {
            (string? Obstacle, ulong LastNumber)[] answers =
                await AskAllAsync((redirector, token) => redirector.ExamineAsync(connections, destination, token), cancellationToken);
            return new RedirectionPlan(Redirector.Origin, answers.Select(answer => answer.Obstacle).FirstOrDefault(one => one is not null))
            {
                LastNumber = answers.Max(answer => answer.LastNumber),
            };
        }
        catch (RedirectionException e)
        {
            return new RedirectionPlan(Redirector.Origin, e.Message);
        }
    }

    public ValueTask<ulong> SendAwayAsync(IReadOnlyList<FourTuple> connections, OtherHost destination, ulong number, CancellationToken cancellationToken) =>
        OrderAsync(new RedirectOrder(connections, Own, destination, number), cancellationToken);

    public async ValueTask<ulong> ReclaimAsync(IReadOnlyList<FourTuple> connections, OtherHost destination, ulong number, CancellationToken cancellationToken)
    {
        ulong holds = await OrderAsync(new RedirectOrder(connections, destination, Own, number, IsSettled: true), cancellationToken);
        foreach (FourTuple connection in connections)
            Note(connection, number);
        return holds;
    }

    // Asked once more: a redirector that has lost its state since the divert learns it again. Then it counts as said by the destination.
    public async ValueTask LeaveAsync(IReadOnlyList<FourTuple> connections, OtherHost destination, ulong number, CancellationToken cancellationToken)
    {
        await OrderAsync(new RedirectOrder(connections, Own, destination, number, IsSettled: true), cancellationToken);
        foreach (FourTuple connection in connections)
            Homes.Forget(connection);
    }

    public void Divert(IReadOnlyList<FourTuple> connections) => throw new NotSupportedException($"With {name} the origin asks for the divert.");

    public bool Recover(FourTuple connection) => true; // somebody may have moved them here

    public bool ComesHere(FourTuple connection) => _route.Routes.IsLocal(connection.Local.Address);

    public bool IsForeign(FourTuple connection) => false;

    public void AwaitArrival(FourTuple connection)
    {
        if (!_route.Routes.IsLocal(connection.Local.Address))
        {
            throw new TimeoutException($"{connection.Local.Address} is not an address of this host, so that its packets would not be taken: add it to lo, "
                + "with arp_ignore 1 and arp_announce 2. 'tcpcp agent --check' says the commands.");
        }
    }

    public void Undo(FourTuple connection, OtherHost? origin)
    {
        // The origin has asked for it.
    }

    public void Settle(FourTuple connection, Redirector redirector, OtherHost? origin, ulong number) => Note(connection, number);

    public void Dispose() => _route.Dispose();

    private void Note(FourTuple connection, ulong number)
    {
        foreach (IRedirectorAgent redirector in HasEntries ? Redirectors : [])
            Homes.Arrive(connection, redirector.RedirectorName, number);
    }

    private async ValueTask<ulong> OrderAsync(RedirectOrder order, CancellationToken cancellationToken)
    {
        ulong[] holding = await AskAllAsync((redirector, token) => OrderAsync(redirector, order, token), cancellationToken);
        return holding.Max();
    }

    private async Task<ulong> OrderAsync(IRedirectorAgent redirector, RedirectOrder order, CancellationToken cancellationToken)
    {
        OutstandingOrders orders = OrdersTo(redirector);
        orders.Give(order);
        try
        {
            ulong holds = await redirector.RedirectAsync(order, cancellationToken);
            orders.Acknowledge(order);
            return holds;
        }
        catch (IOException e)
        {
            orders.Fail(e.Message);
            throw;
        }
    }

    private async Task<T[]> AskAllAsync<T>(Func<IRedirectorAgent, CancellationToken, Task<T>> ask, CancellationToken cancellationToken)
    {
        using CancellationTokenSource timer = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timer.CancelAfter(limit);
        return await Task.WhenAll(Redirectors.Select(redirector => AskAsync(redirector, ask, timer.Token, cancellationToken)));
    }

    private async Task<T> AskAsync<T>(IRedirectorAgent redirector, Func<IRedirectorAgent, CancellationToken, Task<T>> ask, CancellationToken limited, CancellationToken cancellationToken)
    {
        LinkException? fault = null;
        while (true)
        {
            try
            {
                return await ask(redirector, limited);
            }
            catch (LinkException e) when (!e.IsRefusal)
            {
                fault = e; // it may have been restarted since the last time: orders may be repeated
            }
            catch (IOException e)
            {
                throw new RedirectionException($"{name}: {e.Message}", e);
            }
            catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
            {
                throw new RedirectionException($"{name}: {redirector.RedirectorName} did not answer within {limit.TotalSeconds} s. {fault?.Message}", e);
            }
            catch (ObjectDisposedException e)
            {
                throw new RedirectionException($"{name}: {redirector.RedirectorName} is not asked any more: the agent stops.", e);
            }

            await Task.Delay(s_pause, limited).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
