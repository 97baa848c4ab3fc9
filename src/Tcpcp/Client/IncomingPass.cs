using System.Net.Sockets;
using Tcpcp.Core.Passing;
using Tcpcp.Core.Wire;
using Tcpcp.Linux.Processes;
using Tcpcp.LocalApi;

namespace Tcpcp.Client;

/// <summary>Connections that come: shown, then alive or withdrawn.</summary>
/// <param name="dormant">One a connection; null stands for one that has ended. This owns them until <see cref="TakeSockets"/>.</param>
internal sealed class IncomingPass(
    ArrivingConnections arriving, PassTerms terms, IReadOnlyList<DuplicatedDescriptor?> dormant, IConnectionReceiver? receiver) : IDisposable
{
    private readonly CancellationTokenSource _withdrawn = new();

    public ArrivingConnections Arriving => arriving;

    public IConnectionReceiver? Receiver => receiver;

    /// <summary>When the word to go came; null: not yet.</summary>
    public long? LiveSince { get; private set; }

    /// <summary>Done when the program has looked at them.</summary>
    public Task Examined { get; private set; } = Task.CompletedTask;

    public IReadOnlyList<DuplicatedDescriptor> Dormant => [.. dormant.OfType<DuplicatedDescriptor>()];

    /// <param name="answer">Hears the objection; empty: none.</param>
    public void Examine(Func<string, Task> answer) => Examined = Task.Run(async () =>
    {
        string objection;
        try
        {
            objection = receiver is null ? $"No application named '{arriving.Application}' is registered in this program."
                : await receiver.ExamineAsync(arriving, _withdrawn.Token) is not { } reason ? ""
                : reason.Length > 0 ? reason : "The application does not take them.";
        }
        catch (Exception e)
        {
            objection = $"The application failed: {e.Message}"; // whatever it was: the peer waits
        }

        await answer(objection);
    });

    /// <param name="ended">One a connection, if any.</param>
    public IReadOnlyList<Socket?> TakeSockets(IReadOnlyList<bool> ended)
    {
        LiveSince = TimeProvider.System.GetTimestamp();
        Socket?[] sockets = new Socket?[dormant.Count];
        for (int i = 0; i < sockets.Length; i++)
        {
            if (dormant[i] is not { IsClosed: false } descriptor)
                continue;
            if (i < ended.Count && ended[i])
                descriptor.Dispose();
            else
                sockets[i] = new Socket(new SafeSocketHandle(descriptor.Detach(), ownsHandle: true));
        }

        return sockets;
    }

    /// <summary>For an agent that was restarted.</summary>
    public Known Claim()
    {
        Known known = new()
        {
            Side = JournalSide.Destination,
            Application = arriving.Application,
            Ticket = LocalWire.ToMessage(terms.Ticket),
            Epoch = terms.Epoch,
            IsLive = LiveSince is not null,
        };
        known.Connections.Add(arriving.Connections.Select(Core.EndPointWire.ToMessage));
        return known;
    }

    /// <summary>They do not come after all.</summary>
    public void Withdraw()
    {
        _withdrawn.Cancel();
        Dispose();
    }

    public void Dispose()
    {
        _withdrawn.Dispose();
        foreach (DuplicatedDescriptor descriptor in Dormant)
            descriptor.Dispose();
    }
}
