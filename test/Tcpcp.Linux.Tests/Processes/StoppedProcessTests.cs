using Tcpcp.Linux.Processes;

namespace Tcpcp.Linux.Tests.Processes;

public class StoppedProcessTests
{
    private const int SIGSTOP = 19;

    [Fact]
    public async Task A_process_stands_still_with_all_its_threads_until_the_scope_is_left()
    {
        // This test program itself, which has many threads.
        // This test program, which waits with the many threads of a runtime.
        await using ChildProcess many = ChildProcess.Start(Environment.ProcessPath!, ["-waitForDebugger"]);
        Assert.True(SpinWait.SpinUntil(() => ThreadStates.Of(many.Pid).Count > 3, 20_000));
        await using ChildProcess one = ChildProcess.Start("cat", [], new ChildOptions { Input = ChildInput.Pipe });
        foreach (ChildProcess process in (ChildProcess[])[many, one])
        {
            using (StoppedProcess.Stop(process.Pid, process.Descriptor))
                Assert.All(ThreadStates.Of(process.Pid), state => Assert.Equal('T', state));
            Assert.DoesNotContain('T', ThreadStates.Of(process.Pid));
        }
    }

    [Fact]
    public async Task A_process_that_was_stopped_already_stays_stopped()
    {
        await using ChildProcess process = ChildProcess.Start("sleep", ["1000"]);
        process.Signal(SIGSTOP);
        Assert.True(SpinWait.SpinUntil(() => ThreadStates.Of(process.Pid).All(state => state == 'T'), 20_000));
        using (StoppedProcess.Stop(process.Pid, process.Descriptor))
            Assert.Equal(['T'], ThreadStates.Of(process.Pid));
        Assert.Equal(['T'], ThreadStates.Of(process.Pid));
    }

    [Fact]
    public async Task A_process_that_has_ended_is_refused_by_name()
    {
        await using ChildProcess process = ChildProcess.Start("true", []);
        await process.Exit;
        ProcessException refused = Assert.Throws<ProcessException>(() => StoppedProcess.Stop(process.Pid, process.Descriptor));
        Assert.Contains($"process {process.Pid}", refused.Message, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task A_descriptor_that_a_process_does_not_have_is_refused_by_the_kernel()
    {
        await using ChildProcess process = ChildProcess.Start("sleep", ["1000"]);
        using DuplicatedDescriptor input = process.Descriptor.Duplicate(0);
        Assert.False(input.IsInvalid);
        Assert.Equal(Errno.EBADF, Assert.Throws<KernelException>(() => process.Descriptor.Duplicate(999)).Errno);
    }
}
