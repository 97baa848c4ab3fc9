namespace Tcpcp.Explorer.Tests;

/// <summary>
/// Every interleaving of passes and faults, with the tables as they are shipped. <c>TCPCP_EXPLORE=deep</c> adds scenarios that take minutes and
/// gigabytes.
/// </summary>
public class ScenarioTests(ITestOutputHelper output)
{
    private static readonly Scenario[] s_usual =
    [
        Scenario.OnePass with { Faults = 2 },
        Scenario.ThereAndBack with { Faults = 1, Emissions = 1 },
        Scenario.Chain,
        Scenario.Chain with { Faults = 1, Kinds = Fault.AgentKilled, Emissions = 1 },
        Scenario.TwoDestinations,
        Scenario.Retry,
        Scenario.Retry with { Faults = 1, Kinds = Fault.AgentKilled, Emissions = 1 },
    ];

    private static readonly Scenario[] s_deep =
    [
        Scenario.OnePass with { Faults = 3 },
        Scenario.ThereAndBack with { Faults = 1 },
        Scenario.Chain with { Faults = 1 },
        Scenario.TwoDestinations with { Faults = 1, Kinds = Fault.AgentKilled, Emissions = 1 },
        Scenario.TwoDestinations with { Faults = 1, Kinds = Fault.MessageLost, Emissions = 1 },
        Scenario.TwoDestinations with { Faults = 1, Kinds = Fault.HostReboots, Emissions = 1 },
        Scenario.Retry with { Faults = 1, Kinds = Fault.MessageLost, Emissions = 1 },
        Scenario.Retry with { Faults = 1, Kinds = Fault.HostReboots, Emissions = 1 },
    ];

    public static TheoryData<string> Names => [.. Scenarios.Keys];

    private static Dictionary<string, Scenario> Scenarios { get; } =
        (Environment.GetEnvironmentVariable("TCPCP_EXPLORE") == "deep" ? s_usual.Concat(s_deep) : s_usual)
        .ToDictionary(scenario => $"{scenario}, the peer sees {scenario.Emissions} things", StringComparer.Ordinal);

    [Theory]
    [MemberData(nameof(Names))]
    public void No_run_breaks_anything_and_every_run_comes_to_a_good_end(string scenario)
    {
        Findings findings = new Explorer(new Model(Scenarios[scenario], Tables.Shipped, Rules.All)).Explore();
        output.WriteLine($"{findings}");
        Console.WriteLine(findings);
        Assert.True(findings.Breach == Breach.None, $"{findings}\n{findings.Trace}");
    }
}
