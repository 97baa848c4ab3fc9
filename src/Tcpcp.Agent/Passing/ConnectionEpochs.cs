using System.Net.Sockets;
using System.Runtime.CompilerServices;

namespace Tcpcp.Agent.Passing;

/// <summary>
/// Numbers of passes: each of a connection is higher than all before, those that did not succeed too, since redirectors obey the highest. Thread-safe.
/// </summary>
internal sealed class ConnectionEpochs
{
    private readonly ConditionalWeakTable<Socket, StrongBox<ulong>> _used = [];

    /// <summary>The number of a new pass.</summary>
    /// <param name="lastRedirection">The highest number of a redirection that somebody has obeyed; 0: none is known. Who has lost count, or never counted, learns it so.</param>
    public ulong Next(PassRequest request, ulong lastRedirection = 0)
    {
        lock (_used)
        {
            ulong next = 1 + Math.Max(lastRedirection / 2, request.Sockets.Max(socket => Math.Max(request.Epoch, _used.TryGetValue(socket, out StrongBox<ulong>? used) ? used.Value : 0)));
            foreach (Socket socket in request.Sockets)
                _used.AddOrUpdate(socket, new StrongBox<ulong>(next));
            return next;
        }
    }
}
