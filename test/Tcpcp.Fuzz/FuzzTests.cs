using System.Globalization;
using Tcpcp.Fuzz.Fuzzing;

namespace Tcpcp.Fuzz;

/// <summary>
/// Every input is read or refused as documented: by no other exception, in bounded time and memory. <c>./test.sh --fuzz MINUTES</c> tries new inputs on each target for
/// so long, or on the one that <c>TCPCP_FUZZ_TARGET</c> names; <c>TCPCP_FUZZ_SEED</c> repeats a run, <c>TCPCP_FUZZ_KEEP=1</c> keeps in the tree what took new branches.
/// </summary>
public sealed class FuzzTests(ITestOutputHelper output)
{
    private static readonly TimeSpan s_usual = TimeSpan.FromSeconds(2);

    public static TheoryData<string> Targets => [.. FuzzTarget.All.Select(target => target.Name)];

    [Theory]
    [MemberData(nameof(Targets))]
    public void Kept_inputs_are_read_or_refused_as_documented(string name)
    {
        FuzzTarget target = FuzzTarget.Find(name);
        using IDisposable ending = target;
        foreach ((string input, byte[] bytes) in KeptInputs.Of(name))
        {
            Exception? e = Record.Exception(() => target.Run(bytes));
            Assert.True(e is null, $"{KeptInputs.FolderOf(name)}/{input}: {e}");
        }
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void New_inputs_are_read_or_refused_as_documented(string name)
    {
        Assert.SkipUnless((Environment.GetEnvironmentVariable("TCPCP_FUZZ_TARGET") ?? "") is { } only && (only.Length == 0 || only == name), "Another target is wanted.");
        FuzzTarget target = FuzzTarget.Find(name);
        TimeSpan time = Number("TCPCP_FUZZ_MINUTES") is { } minutes ? TimeSpan.FromMinutes(minutes) : s_usual;
        int seed = (int?)Number("TCPCP_FUZZ_SEED") ?? Random.Shared.Next();
        string folder = Directory.CreateDirectory(Path.Combine(KeptInputs.Root, "artifacts", "fuzz", name)).FullName;
        using LastInput last = new(Path.Combine(folder, "last"));
        using FuzzRun run = new(target, seed, last);
        byte[][] known = [.. target.Seeds(), .. KeptInputs.Of(name).Select(kept => kept.Input)];
        try
        {
            run.Run(known, time);
        }
        catch (FuzzFinding finding)
        {
            string file = Path.Combine(folder, $"found-{KeptInputs.NameOf(finding.Input)}");
            File.WriteAllBytes(file, finding.Input);
            Say($"{run.Summary}, seed {seed}");
            Assert.Fail($"""
                The target {name} does not take {file} (seed {seed}): {finding.Message}
                To repeat it: cp {file} {KeptInputs.FolderOf(name)}/ && artifacts/bin/Tcpcp.Fuzz/debug/Tcpcp.Fuzz -method "*Kept_inputs*"
                """);
        }

        Say($"{run.Summary}, seed {seed}");
        if (Number("TCPCP_FUZZ_KEEP") is not null && target.IsGuided)
            KeptInputs.Replace(name, run.Minimize([.. known, .. run.Found]));
    }

    private static double? Number(string variable) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } text ? double.Parse(text, CultureInfo.InvariantCulture) : null;

    private void Say(string line)
    {
        output.WriteLine(line);
        Console.WriteLine(line);
    }
}
