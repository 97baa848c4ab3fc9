using Tcpcp.Core;
using Tcpcp.Linux;
using Tcpcp.Linux.Diagnostics;

namespace Tcpcp.EndToEnd.Tests.Chaos;

/// <summary>Looks all the time at who owns what: a connection has a socket that is not behind the gate at one host at most.</summary>
internal sealed class OwnerWatch : IAsyncDisposable
{
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(20);

    private readonly IReadOnlyList<ChaosHost> _hosts;
    private readonly Action<string> _note;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _watching;
    private readonly List<string> _found = [];

    /// <param name="note">Hears of what has two owners, when it is seen.</param>
    public OwnerWatch(IReadOnlyList<ChaosHost> hosts, Action<string> note)
    {
        (_hosts, _note) = (hosts, note);
        _watching = Task.Run(WatchAsync);
    }

    /// <summary>How often it has looked.</summary>
    public int Looks { get; private set; }

    /// <summary>Ends the watch.</summary>
    /// <returns>What had two owners.</returns>
    public async Task<IReadOnlyList<string>> EndAsync()
    {
        await _stopping.CancelAsync();
        await _watching;
        return _found;
    }

    public async ValueTask DisposeAsync()
    {
        await EndAsync();
        _stopping.Dispose();
    }

    // The looks at different hosts are not at one time. A socket that was open in two looks at its host was so in between, for a gate that closes before the freeze
    // opens again only if nobody else may own the connection.
    private async Task WatchAsync()
    {
        Dictionary<FourTuple, ListedSocket>?[] last = new Dictionary<FourTuple, ListedSocket>?[_hosts.Count];
        while (!_stopping.IsCancellationRequested)
        {
            for (int i = 0; i < _hosts.Count; i++)
            {
                Dictionary<FourTuple, ListedSocket>? open = Look(_hosts[i]);
                foreach ((FourTuple connection, ListedSocket socket) in open ?? [])
                {
                    if (last[i]?.TryGetValue(connection, out ListedSocket before) is not true || before.Cookie != socket.Cookie)
                        continue;
                    for (int other = 0; other < _hosts.Count; other++)
                    {
                        if (other != i && last[other]?.TryGetValue(connection, out ListedSocket there) is true)
                            Find($"{connection} has two owners: {_hosts[i].Name} ({before.State}, {socket}) and {_hosts[other].Name} ({there})");
                    }
                }

                last[i] = open;
            }

            Looks++;
            await Task.Delay(s_pause);
        }
    }

    private void Find(string owners)
    {
        _found.Add(owners);
        _note(owners);
    }

    // The gate before and after: it is there before the socket of a restore, and goes after that of a release.
    private static Dictionary<FourTuple, ListedSocket>? Look(ChaosHost host)
    {
        try
        {
            HashSet<FourTuple> gated = [.. host.Agent.Gated];
            IReadOnlyList<ListedSocket> sockets = host.Sockets();
            gated.UnionWith(host.Agent.Gated);
            return sockets.Where(socket => socket.Inode != 0 && socket.State != TcpState.Listen && !gated.Contains(socket.Connection))
                .DistinctBy(socket => socket.Connection).ToDictionary(socket => socket.Connection);
        }
        catch (Exception e) when (host.IsAway || e is ObjectDisposedException or KernelException or InvalidOperationException)
        {
            return null; // it boots
        }
    }
}
