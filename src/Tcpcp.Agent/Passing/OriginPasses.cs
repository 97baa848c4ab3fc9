using System.Collections.Concurrent;
using Tcpcp.Core;

namespace Tcpcp.Agent.Passing;

/// <summary>The passes of this host as origin that have not ended, and the connections that wait for their recovery. Thread-safe.</summary>
internal sealed class OriginPasses
{
    private readonly ConcurrentDictionary<PassId, OriginPass> _passes = new();
    private readonly ConcurrentDictionary<FourTuple, PassId> _recovering = new();

    public IReadOnlyCollection<OriginPass> All => (IReadOnlyCollection<OriginPass>)_passes.Values;

    /// <summary>Every connection of a pass that has not ended, or waits for its recovery.</summary>
    public IEnumerable<FourTuple> Connections => _recovering.Keys.Concat(_passes.Values.SelectMany(pass => pass.Connections));

    /// <summary>Connections of passes that wait for their recovery.</summary>
    public IEnumerable<FourTuple> Recovering => _recovering.Keys;

    public OriginPass? Find(PassId pass) => _passes.GetValueOrDefault(pass);

    /// <summary>Whether the pass has not ended, or waits for its recovery.</summary>
    public bool IsOpen(PassId pass) => _passes.TryGetValue(pass, out OriginPass? open) ? !open.IsDone : _recovering.Values.Contains(pass);

    public void Add(OriginPass pass) => _passes[pass.Id] = pass;

    public void Remove(OriginPass pass) => _passes.TryRemove(pass.Id, out _);

    /// <summary>Until the pass goes on, no other may begin.</summary>
    public void BeginRecovery(PassId pass, IEnumerable<FourTuple> connections)
    {
        foreach (FourTuple connection in connections)
            _recovering[connection] = pass;
    }

    public void EndRecovery(IEnumerable<FourTuple> connections)
    {
        foreach (FourTuple connection in connections)
            _recovering.TryRemove(connection, out _);
    }

    public bool IsRecovering(FourTuple connection) => !_recovering.IsEmpty && _recovering.ContainsKey(connection);
}
