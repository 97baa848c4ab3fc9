namespace Tcpcp.Explorer.Tests;

/// <summary>Every interleaving of passes and faults, with the tables as they are shipped.</summary>
public class ScenarioTests
{
    [Fact]
    public void First()
    {
        foreach (int faults in Environment.GetEnvironmentVariable("F")?.Split(',').Select(int.Parse) ?? [0])
        {
            Scenario scenario = new Dictionary<string, Scenario>() { ["1"] = Scenario.OnePass, ["2"] = Scenario.ThereAndBack, ["3"] = Scenario.Chain, ["4"] = Scenario.TwoDestinations, ["5"] = Scenario.Retry}[Environment.GetEnvironmentVariable("S") ?? "1"];
            if (Environment.GetEnvironmentVariable("E") is string e) scenario = scenario with { Emissions = int.Parse(e) };
            if (Environment.GetEnvironmentVariable("K") is string k) scenario = scenario with { Kinds = Enum.Parse<Fault>(k) };
            Findings findings = new Explorer(new Model(scenario with { Faults = faults }, Tables.Shipped, Rules.All)).Explore();
            Console.WriteLine(findings);
            Console.WriteLine(findings.Trace);
            if (findings.Breach != Breach.None) break;
        }
    }
}
