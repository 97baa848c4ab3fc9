using Microsoft.Extensions.Logging;
using Tcpcp.Agent.Hosting;
using Tcpcp.Agent.Link;
using Tcpcp.Agent.Redirection;
using OwnedConnection = Tcpcp.Agent.Redirection.OwnedConnection;

namespace Tcpcp.Agent.Gateways;

/// <summary>
/// Finds entries of a gateway whose pass nobody will end any more: the origin has died for good between divert and release. An entry that stands unchanged from one look to the next
/// is asked about. If the destination says that it owns the connection, or the origin that it does not have it, the pass is over, and from then on the destination says when it ends. While
/// neither says so, the origin may come again with its journal: the entry stays, and the log names it.
/// </summary>
internal sealed class UnsettledWatch(GatewaySwitchboard board, Func<string, DestinationChannel?> findChannel, IReadOnlyCollection<ServicePorts> services, ILogger log)
{
    private static readonly TimeSpan s_answer = TimeSpan.FromSeconds(10);

    private readonly HashSet<UnsettledEntry> _told = [];
    private HashSet<UnsettledEntry> _before = [];

    /// <summary>Ends when it is cancelled, without an exception.</summary>
    public async Task RunAsync(TimeSpan every, CancellationToken ending)
    {
        while (!ending.IsCancellationRequested)
        {
            await Task.Delay(every, ending).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            try
            {
                await LookAsync(ending);
            }
            catch (OperationCanceledException) when (ending.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                log.Failed("Passes that nobody ends any more were not looked for this time.", e);
            }
        }
    }

    private async Task LookAsync(CancellationToken ending)
    {
        HashSet<UnsettledEntry> now = [.. board.ListUnsettled()];
        UnsettledEntry[] standing = [.. now.Where(_before.Contains)];
        _before = now;
        _told.IntersectWith(standing);
        if (standing.Length == 0)
            return;
        Dictionary<string, Dictionary<Core.FourTuple, ulong>?> said = new(StringComparer.OrdinalIgnoreCase);
        foreach (string host in standing.SelectMany(entry => (string[])[entry.Backend, entry.Orderer]).Distinct(StringComparer.OrdinalIgnoreCase))
            said[host] = await AskAsync(host, ending);
        UnsettledEntry[] over = [.. standing.Where(entry =>
            said[entry.Backend] is { } destination && destination.TryGetValue(entry.Connection, out ulong number) && number >= entry.Number
            || said[entry.Orderer] is { } origin && !origin.ContainsKey(entry.Connection))];
        if (board.Settle(over) is > 0 and int count)
            log.GatewayPassesOver(count);
        foreach (UnsettledEntry entry in standing.Except(over).Where(_told.Add))
            log.GatewayUnsettled(entry.Connection, entry.Orderer, entry.Backend);
    }

    private async Task<Dictionary<Core.FourTuple, ulong>?> AskAsync(string host, CancellationToken ending)
    {
        if (findChannel(host) is not { } channel)
            return null;
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(ending);
        limit.CancelAfter(s_answer);
        try
        {
            IReadOnlyList<OwnedConnection> owned = await channel.ListOwnedAsync(services, limit.Token);
            return owned.ToDictionary(one => one.Connection, one => one.Number);
        }
        catch (Exception e) when (e is LinkException or ObjectDisposedException or OperationCanceledException && !ending.IsCancellationRequested)
        {
            return null;
        }
    }
}
