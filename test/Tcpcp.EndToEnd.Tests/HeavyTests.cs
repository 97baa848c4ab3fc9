namespace Tcpcp.EndToEnd.Tests;

/// <summary>Tests that need many descriptors or much of the processors: they run one after the other, and beside no others.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class HeavyTests
{
    public const string Name = "heavy";
}
