using System.Runtime.CompilerServices;
using Tcpcp.Agent.Local;
using Tcpcp.Client;
using Tcpcp.Core;

namespace Tcpcp.Agent.Tests.Local;

/// <summary>Answers operators with what a test has put in.</summary>
internal sealed class RecordingOperations : ILocalOperations
{
    public IReadOnlyList<OpenPass> Passes { get; set; } = [];

    public AgentStatus Status { get; set; } = new() { AgentVersion = "1.2.3", Host = "host-a", Incarnation = Guid.NewGuid(), Uptime = TimeSpan.FromSeconds(5) };

    public (PassId Pass, SettleWay Way)? Settled { get; private set; }

    public DrainOrder? Drained { get; private set; }

    public bool HasDrainEnded { get; private set; }

    /// <summary>What a drain says; without an end it goes on until it is stopped.</summary>
    public Func<int, DrainProgress?> Progress { get; set; } = _ => null;

    public ValueTask<IReadOnlyList<OpenPass>> ListPassesAsync(bool inDoubtOnly, CancellationToken cancellationToken) =>
        ValueTask.FromResult<IReadOnlyList<OpenPass>>([.. Passes.Where(pass => !inDoubtOnly || pass.State == "InDoubt")]);

    public Task<PassResult> SettleAsync(PassId pass, SettleWay way, CancellationToken cancellationToken)
    {
        if (Passes.All(one => one.Pass != pass))
            throw new OperationRefusedException($"There is no pass {pass}.");
        Settled = (pass, way);
        return Task.FromResult(new PassResult(PassFailure.Abandoned, ConnectionOwner.Nobody, "As the operator said."));
    }

    public async IAsyncEnumerable<DrainProgress> DrainAsync(DrainOrder order, [EnumeratorCancellation] CancellationToken stop)
    {
        Drained = order;
        for (int i = 0; !stop.IsCancellationRequested && Progress(i) is { } progress; i++)
        {
            yield return progress;
            await Task.Yield();
        }

        HasDrainEnded = true;
    }

    public ValueTask<AgentStatus> GetStatusAsync(CancellationToken cancellationToken) => ValueTask.FromResult(Status);
}
