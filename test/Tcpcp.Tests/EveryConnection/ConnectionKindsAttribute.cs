using System.Reflection;
using Xunit.Sdk;
using Xunit.v3;

namespace Tcpcp.Tests.EveryConnection;

/// <summary>The product of some kinds of connections and what the SYN exchange can lack.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ConnectionKindsAttribute(params IPKind[] kinds) : DataAttribute
{
    /// <summary>The kinds.</summary>
    public IReadOnlyList<IPKind> Kinds => kinds;

    public override ValueTask<IReadOnlyCollection<ITheoryDataRow>> GetData(MethodInfo testMethod, DisposalTracker disposalTracker) =>
        ValueTask.FromResult<IReadOnlyCollection<ITheoryDataRow>>(
            [.. from kind in kinds from lacking in Enum.GetValues<Lacking>() select new TheoryDataRow<IPKind, Lacking>(kind, lacking)]);

    public override bool SupportsDiscoveryEnumeration() => true;
}
