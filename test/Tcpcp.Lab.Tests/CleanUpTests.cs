using Tcpcp.Linux.Processes;

namespace Tcpcp.Lab.Tests;

public class CleanUpTests
{
    private const int SIGINT = 2;
    private const int SIGKILL = 9;

    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(20);

    // A thread of the runtime (tiered compilation, background collection) that was born on a host keeps its namespaces until it has been idle.
    private static readonly TimeSpan s_idleLimit = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task After_dispose_nothing_of_the_lab_is_left()
    {
        LabNetwork lab = await LabNetwork.CreateAsync();
        Host a = lab.AddHost("a", "10.0.0.1/24");
        ChildProcess sleeper = a.Start("sleep", ["1000"]);
        ChildProcess family = a.Start("sh", ["-c", "setsid sleep 1000 & echo $!; wait"]);
        await family.Output!.WaitForAsync("\n", s_limit);
        LabTraces traces = LabTraces.Of(lab, sleeper, family);
        Assert.Equal(4, traces.LivingProcesses().Count);

        await lab.DisposeAsync();

        Assert.Empty(traces.LivingProcesses());
        Assert.Equal(128 + SIGKILL, await sleeper.Exit);
        await Eventually.Empty(traces.LivingNamespaces, s_idleLimit);
    }

    [Theory]
    [InlineData(SIGKILL)]
    [InlineData(SIGINT)]
    public async Task A_signal_that_kills_the_process_leaves_nothing_of_its_lab(int signal)
    {
        (ChildProcess holder, LabTraces traces) = await LabHolder.StartAsync();
        Assert.Equal(4, traces.LivingProcesses().Count);
        Assert.NotEmpty(traces.LivingNamespaces());

        holder.Signal(signal);

        Assert.Equal(128 + signal, await holder.Exit);
        await Eventually.Empty(traces.LivingProcesses, s_limit);
        await Eventually.Empty(traces.LivingNamespaces, s_limit);
        await holder.DisposeAsync();
    }

    [Fact]
    public async Task A_lab_can_be_disposed_twice()
    {
        LabNetwork lab = await LabNetwork.CreateAsync();
        lab.AddHost("a", "10.0.0.1/24");
        await lab.DisposeAsync();
        await lab.DisposeAsync();
    }

    [Fact]
    public async Task A_host_that_cannot_be_made_leaves_its_name_free()
    {
        await using LabNetwork lab = await LabNetwork.CreateAsync();
        Assert.Throws<FormatException>(() => lab.AddHost("a", "10.0.0.1/33"));
        Assert.Equal("a", lab.AddHost("a", "10.0.0.1/24").Name);
    }
}
