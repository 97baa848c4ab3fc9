using System.Net.Sockets;
using System.Runtime.InteropServices;
using Tcpcp.Agent.Local;
using Tcpcp.Agent.Passing;
using Tcpcp.Core;

namespace Tcpcp.Agent.Hosting;

/// <summary>An application that holds the connections of a pass already, since before this agent's start: it is only told.</summary>
internal sealed class ClaimedReceiver(KnownPass claim) : IPassReceiver
{
    public string Application => claim.Application;

    public ValueTask<string?> ExamineAsync(Arrival arrival, IReadOnlyList<SafeHandle> dormant) => throw new InvalidOperationException("It has them already.");

    public void Withdraw(PassId pass)
    {
        claim.Withdraw();
        claim.Dispose();
    }

    public void Go(Arrival arrival, IReadOnlyList<Socket?> sockets)
    {
        claim.Go([.. sockets.Select(socket => socket is null)]);
        foreach (Socket? socket in sockets)
            socket?.Dispose(); // the application has its own; has it gone meanwhile, these were the last
        claim.Dispose();
    }
}
