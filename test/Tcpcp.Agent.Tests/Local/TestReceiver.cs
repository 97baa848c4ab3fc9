using System.Collections.Concurrent;
using System.Net.Sockets;
using Tcpcp.Client;
using Tcpcp.Core;

namespace Tcpcp.Agent.Tests.Local;

/// <summary>Notes what it is told.</summary>
internal sealed class TestReceiver : IConnectionReceiver
{
    public string? Objection { get; init; }

    public Exception? Fault { get; init; }

    /// <summary>It does not answer until the connections are withdrawn.</summary>
    public bool IsSilent { get; init; }

    public Func<IReadOnlyList<FourTuple>, IReadOnlyList<PassOrder>> Find { get; init; } = _ => [];

    public ConcurrentQueue<ArrivingConnections> Examined { get; } = new();

    public ConcurrentQueue<IReadOnlyList<Socket?>> Gone { get; } = new();

    public ConcurrentQueue<ArrivingConnections> Withdrawn { get; } = new();

    public async ValueTask<string?> ExamineAsync(ArrivingConnections arriving, CancellationToken cancellationToken)
    {
        Examined.Enqueue(arriving);
        if (IsSilent)
            await Task.Delay(Timeout.Infinite, cancellationToken);
        return Fault is null ? Objection : throw Fault;
    }

    public void Go(ArrivingConnections arriving, IReadOnlyList<Socket?> sockets) => Gone.Enqueue(sockets);

    public void Withdraw(ArrivingConnections arriving) => Withdrawn.Enqueue(arriving);

    public IReadOnlyList<PassOrder> FindConnections(IReadOnlyList<FourTuple> wanted) => Find(wanted);
}
