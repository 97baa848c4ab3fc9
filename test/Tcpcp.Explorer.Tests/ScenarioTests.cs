namespace Tcpcp.Explorer.Tests;

/// <summary>
/// Every interleaving of passes and faults, with the tables as they are shipped. <c>TCPCP_EXPLORE=deep</c> adds scenarios that take minutes and
/// gigabytes.
/// </summary>
public abstract class ScenarioTests(ITestOutputHelper output)
{
    private protected void Explore(Scenario scenario)
    {
        Findings findings = new Explorer(new Model(scenario, Tables.Shipped, Rules.All)).Explore();
        output.WriteLine($"{findings}");
        Console.WriteLine(findings);
        Assert.True(findings.Breach == Breach.None, $"{findings}\n{findings.Trace}");
    }

    private protected static Dictionary<string, Scenario> ByName(Scenario[] usual, Scenario[] deep) =>
        (Environment.GetEnvironmentVariable("TCPCP_EXPLORE") == "deep" ? usual.Concat(deep) : usual)
        .ToDictionary(scenario => $"{scenario}, the peer sees {scenario.Emissions} things", StringComparer.Ordinal);
}

/// <summary>One pass, or several from the same origin.</summary>
public class OneOriginTests(ITestOutputHelper output) : ScenarioTests(output)
{
    private static readonly Dictionary<string, Scenario> s_scenarios = ByName(
        [
            Scenario.OnePass with { Faults = 2 },
            Scenario.OnePass with { Faults = 3, Emissions = 1 },
            Scenario.TwoDestinations,
            Scenario.Retry,
        ],
        [
            Scenario.OnePass with { Faults = 3 },
            Scenario.TwoDestinations with { Faults = 1, Kinds = Fault.AgentKilled, Emissions = 1 },
            Scenario.TwoDestinations with { Faults = 1, Kinds = Fault.MessageLost, Emissions = 1 },
            Scenario.TwoDestinations with { Faults = 1, Kinds = Fault.HostReboots, Emissions = 1 },
            Scenario.Retry with { Faults = 1, Kinds = Fault.AgentKilled, Emissions = 1 },
            Scenario.Retry with { Faults = 1, Kinds = Fault.MessageLost, Emissions = 1 },
            Scenario.Retry with { Faults = 1, Kinds = Fault.HostReboots, Emissions = 1 },
        ]);

    public static TheoryData<string> Names => [.. s_scenarios.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void No_run_breaks_anything_and_every_run_comes_to_a_good_end(string scenario) => Explore(s_scenarios[scenario]);
}

/// <summary>The destination passes the connection on, or back.</summary>
public class PassedOnTests(ITestOutputHelper output) : ScenarioTests(output)
{
    private static readonly Dictionary<string, Scenario> s_scenarios = ByName(
        [
            Scenario.ThereAndBack with { Faults = 1, Emissions = 1 },
            Scenario.Chain,
            Scenario.Chain with { Faults = 1, Kinds = Fault.AgentKilled, Emissions = 1 },
        ],
        [
            Scenario.ThereAndBack with { Faults = 1 },
            Scenario.Chain with { Faults = 1 },
        ]);

    public static TheoryData<string> Names => [.. s_scenarios.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void No_run_breaks_anything_and_every_run_comes_to_a_good_end(string scenario) => Explore(s_scenarios[scenario]);
}
