namespace Tcpcp.Explorer.Tests;

/// <summary>An explorer that finds nothing proves something only if it finds what is there. Not reduced, so that each way is a shortest one.</summary>
public class MutationTests(ITestOutputHelper output)
{
    public static TheoryData<string> Names => [.. Mutations.All.Select(mutation => mutation.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_rule_that_is_switched_off_is_missed(string rule)
    {
        Mutation mutation = Mutations.All.Single(mutation => mutation.Name == rule);
        Findings findings = new Explorer(new Model(mutation.Scenario, mutation.Tables, mutation.Rules, reduces: false)).Explore();
        output.WriteLine($"{mutation.Name}: {mutation.Does}\n{findings}\n{findings.Trace}");
        Console.WriteLine($"{findings} | {mutation.Name}: {mutation.Does}");
        Assert.NotEqual(Breach.None, findings.Breach);
    }
}
