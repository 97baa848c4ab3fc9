using System.Collections.Concurrent;
using System.Net.Sockets;
using Tcpcp.Agent.Local;
using Tcpcp.Agent.Passing;
using Tcpcp.Client;
using Tcpcp.Core;
using Tcpcp.Core.Wire;
using FourTuple = Tcpcp.Core.FourTuple;

namespace Tcpcp.Agent.Hosting;

/// <summary>
/// Brings together what the journal knows of passes that a dead agent left, and what the applications that lived on have of them. Thread-safe.
/// </summary>
internal sealed class PassClaims : IKnownPasses, IHeldSockets
{
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(50);

    private readonly HostServices _host;
    private readonly Func<string, IPassReceiver?> _findReceiver;
    private readonly Action<KnownPass> _unexpected;
    private readonly ConcurrentDictionary<(PassId, HostRole), TaskCompletionSource<KnownPass>> _expected = new();

    /// <param name="findReceiver">The application that has registered under a name.</param>
    /// <param name="unexpected">Takes claims of passes that nobody waits for.</param>
    public PassClaims(HostServices host, Func<string, IPassReceiver?> findReceiver, Action<KnownPass> unexpected) =>
        (_host, _findReceiver, _unexpected) = (host, findReceiver, unexpected);

    /// <summary>From now on a claim of that pass is kept until somebody awaits it.</summary>
    public void Expect(PassId pass, HostRole role) => _expected.TryAdd((pass, role), new TaskCompletionSource<KnownPass>(TaskCreationOptions.RunContinuationsAsynchronously));

    public void Claim(KnownPass claim)
    {
        if (!_expected.TryGetValue((claim.Pass, claim.Role), out TaskCompletionSource<KnownPass>? waiting) || !waiting.TrySetResult(claim))
            _unexpected(claim);
    }

    /// <summary>Waits until the application has claimed a pass, or no process of this host has any of its connections.</summary>
    /// <returns>Null if nobody claims it.</returns>
    public async Task<KnownPass?> FindAsync(PassId pass, HostRole role, IReadOnlyList<FourTuple> connections, CancellationToken cancellationToken)
    {
        Expect(pass, role);
        Task<KnownPass> claimed = _expected[(pass, role)].Task;
        try
        {
            while (!claimed.IsCompleted)
            {
                if (!connections.Any(connection => _host.Sockets.Find(connection) is { Inode: not 0 }))
                    return null;
                await Task.WhenAny(claimed, Task.Delay(s_look, cancellationToken));
                cancellationToken.ThrowIfCancellationRequested();
            }

            return await claimed;
        }
        finally
        {
            _expected.TryRemove((pass, role), out _);
        }
    }

    public async Task<HeldPass> AwaitAsync(PassId pass, string application, IReadOnlyList<FourTuple> connections, CancellationToken cancellationToken)
    {
        if (await FindAsync(pass, HostRole.Destination, connections, cancellationToken) is { } claim)
            return new HeldPass(TakeSockets(claim, connections), new ClaimedReceiver(claim));
        // Its application has died with the agent. Whoever takes its place gets the connections.
        long began = System.Diagnostics.Stopwatch.GetTimestamp();
        while (_findReceiver(application) is null && System.Diagnostics.Stopwatch.GetElapsedTime(began) < _host.Options.HoldTime)
            await Task.Delay(s_look, cancellationToken);
        return new HeldPass([], null);
    }

    /// <summary>The sockets of a claim in the order of the connections; null for one that it has not.</summary>
    public static IReadOnlyList<Socket?> TakeSockets(KnownPass claim, IReadOnlyList<FourTuple> connections)
    {
        Dictionary<FourTuple, Socket> sockets = [];
        foreach (Socket socket in claim.TakeSockets())
        {
            if (!SocketNames.TryFind(socket, out FourTuple name) || !connections.Contains(name) || !sockets.TryAdd(name, socket))
                socket.Dispose();
        }

        return [.. connections.Select(connection => sockets.GetValueOrDefault(connection))];
    }
}
