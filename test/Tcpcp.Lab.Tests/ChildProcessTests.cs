using Tcpcp.Linux;
using Tcpcp.Linux.Processes;

namespace Tcpcp.Lab.Tests;

public class ChildProcessTests
{
    private const int SIGTERM = 15;

    [Fact]
    public async Task The_exit_code_comes_back()
    {
        await using LabNetwork lab = await LabNetwork.CreateAsync();
        await using ChildProcess child = lab.AddHost("a").Start("sh", ["-c", "exit 7"]);
        Assert.Equal(7, await child.Exit);
    }

    [Fact]
    public async Task A_signal_ends_a_child_with_128_and_its_number()
    {
        await using LabNetwork lab = await LabNetwork.CreateAsync();
        await using ChildProcess child = lab.AddHost("a").Start("sleep", ["1000"]);
        Assert.True(child.Signal(SIGTERM));
        Assert.Equal(128 + SIGTERM, await child.Exit);
        Assert.False(child.Signal(SIGTERM));
    }

    [Fact]
    public async Task No_signal_is_ignored_or_blocked_in_a_child()
    {
        await using LabNetwork lab = await LabNetwork.CreateAsync();
        await using ChildProcess child = lab.AddHost("a").Start("grep", ["-E", "^Sig(Blk|Ign)", "/proc/self/status"]);
        Assert.Equal("SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n", await child.Output!.Completed);
    }

    [Fact]
    public async Task A_child_has_no_other_descriptors_than_its_three()
    {
        await using LabNetwork lab = await LabNetwork.CreateAsync();
        await using ChildProcess child = lab.AddHost("a").Start("sh", ["-c", "for f in /proc/$$/fd/* /proc/self/fd/*; do :; done; ls /proc/self/fd"]);
        Assert.Equal("0\n1\n2\n3\n", await child.Output!.Completed); // 3 is the directory that ls reads
    }

    [Fact]
    public async Task Bytes_given_as_input_are_read_to_their_end()
    {
        byte[] input = new byte[300_000];
        await using LabNetwork lab = await LabNetwork.CreateAsync();
        await using ChildProcess child = lab.AddHost("a").Start("wc", ["-c"], new ChildOptions { Input = ChildInput.Of(input) });
        Assert.Equal("300000", (await child.Output!.Completed).Trim());
    }

    [Fact]
    public async Task What_is_written_to_the_input_pipe_reaches_the_child_at_once()
    {
        await using LabNetwork lab = await LabNetwork.CreateAsync();
        await using ChildProcess child = lab.AddHost("a").Start("cat", [], new ChildOptions { Input = ChildInput.Pipe });
        await child.Input!.WriteAsync("one\n"u8.ToArray());
        Assert.Equal("one\n", await child.Output!.WaitForAsync("one", TimeSpan.FromSeconds(20)));
        await child.Input.DisposeAsync();
        Assert.Equal(0, await child.Exit);
    }

    [Fact]
    public async Task The_two_outputs_are_kept_apart()
    {
        await using LabNetwork lab = await LabNetwork.CreateAsync();
        await using ChildProcess child = lab.AddHost("a").Start("sh", ["-c", "echo out; echo err >&2"]);
        Assert.Equal("out\n", await child.Output!.Completed);
        Assert.Equal("err\n", await child.ErrorOutput!.Completed);
    }

    [Fact]
    public async Task Output_to_a_file_goes_to_the_host_s_own_files()
    {
        await using LabNetwork lab = await LabNetwork.CreateAsync();
        Host a = lab.AddHost("a");
        await using ChildProcess child = a.Start("echo", ["text"], new ChildOptions { Output = ChildOutput.ToFile("/run/out") });
        Assert.Equal(0, await child.Exit);
        Assert.Equal("text\n", a.Run(() => File.ReadAllText("/run/out")));
    }

    [Fact]
    public async Task Environment_and_directory_are_those_given()
    {
        await using LabNetwork lab = await LabNetwork.CreateAsync();
        await using ChildProcess child = lab.AddHost("a").Start("sh", ["-c", "echo $NOTE $PWD $(test -n \"$PATH\" && echo inherited)"], new ChildOptions
        {
            Environment = new Dictionary<string, string>(StringComparer.Ordinal) { ["NOTE"] = "noted" },
            WorkingDirectory = "/usr",
        });
        Assert.Equal("noted /usr inherited\n", await child.Output!.Completed);
    }

    [Fact]
    public async Task A_child_lives_in_the_lab_s_PID_namespace()
    {
        await using LabNetwork lab = await LabNetwork.CreateAsync();
        await using ChildProcess child = lab.AddHost("a").Start("sh", ["-c", "echo $$"]);
        Assert.Equal("2\n", await child.Output!.Completed); // 1 is the first process
        Assert.NotEqual(2, child.Pid);
    }

    [Fact]
    public async Task The_process_can_still_make_threads_after_it_started_children()
    {
        await using LabNetwork lab = await LabNetwork.CreateAsync();
        Host a = lab.AddHost("a");
        for (int i = 0; i < 20; i++)
        {
            await using ChildProcess child = a.Start("true", []);
            Assert.Equal(0, await child.Exit);
            Thread thread = new(() => { });
            thread.Start();
            thread.Join();
        }
    }

    [Fact]
    public async Task A_missing_program_is_named()
    {
        await using LabNetwork lab = await LabNetwork.CreateAsync();
        KernelException missing = Assert.Throws<KernelException>(() => lab.AddHost("a").Start("/no/such/program", []));
        Assert.Contains("posix_spawn (/no/such/program)", missing.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Waiting_for_output_that_does_not_come_says_what_came()
    {
        await using LabNetwork lab = await LabNetwork.CreateAsync();
        await using ChildProcess child = lab.AddHost("a").Start("echo", ["something else"]);
        EndOfStreamException ended = await Assert.ThrowsAsync<EndOfStreamException>(
            () => child.Output!.WaitForAsync("listening", TimeSpan.FromSeconds(20)));
        Assert.Contains("something else", ended.Message, StringComparison.Ordinal);
    }
}
