using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Tcpcp.Core;
using Tcpcp.Linux.Processes;

namespace Tcpcp.EndToEnd.Tests.Agents;

/// <summary>Connections of processes that know nothing of tcpcp go to programs that know nothing of it either.</summary>
public sealed class ReceiveCommandTests(LabCertificates certificates)
{
    private const int SIGTERM = 15; // signal.h
    private const string Name = "netcat";

    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_connection_of_nc_goes_to_a_program_that_is_started_for_it(bool inetd)
    {
        await using AgentLab lab = await StartAsync();
        ChildProcess netcat = lab.A.Start("nc", ["-l", "10.0.0.100", $"{AgentLab.Port}"], new ChildOptions { Input = ChildInput.Pipe });
        await lab.A.UntilListeningAsync(netcat);
        using Socket peer = lab.Connect();
        await ExchangeAsync(peer, netcat, "before");
        string script = inetd ? "read line; echo \"heard $line from $REMOTE_ADDR\"; exec cat" // the connection is its input and output
            : "read line <&3; echo \"heard $line: $LISTEN_FDS $LISTEN_FDNAMES $((LISTEN_PID - $$))\" >&3; exec cat <&3 >&3";
        await using ChildProcess receiver = lab.B.Start(Command.Path, ["receive", Name, .. inetd ? (string[])["--inetd"] : [], "--agent", lab.B.SocketPath, "--", "sh", "-c", script]);
        await receiver.Output!.WaitForAsync(Name, s_limit);

        JsonElement report = Assert.Single(await lab.A.JsonAsync(0, "pass", $"{AgentLab.NameOf(peer)}", "--as", Name, "--to", LabAgent.NameB));
        Assert.Equal("None", report.GetProperty("failure").GetString());
        Assert.True(lab.B.Owns(AgentLab.NameOf(peer)));
        peer.Send("a line\n"u8);
        Assert.Equal(inetd ? "heard a line from 10.0.0.1\n" : "heard a line: 1 connection 0\n", Receive(peer));
        peer.Send("and more\n"u8);
        Assert.Equal("and more\n", Receive(peer));
        peer.Shutdown(SocketShutdown.Send);
        Assert.Equal("", Receive(peer));
        await receiver.Output.WaitForAsync(LabAgent.NameA, s_limit);
        receiver.Signal(SIGTERM);
        Assert.Equal(0, await receiver.Exit.WaitAsync(s_limit));
        AgentLab.AssertClean(await lab.JudgeAsync());
    }

    [Fact]
    public async Task The_origins_agent_may_die_meanwhile()
    {
        await using AgentLab lab = await StartAsync();
        ChildProcess netcat = lab.A.Start("nc", ["-l", "10.0.0.100", $"{AgentLab.Port}"], new ChildOptions { Input = ChildInput.Pipe });
        await lab.A.UntilListeningAsync(netcat);
        using Socket peer = lab.Connect();
        await ExchangeAsync(peer, netcat, "before");
        TaskCompletionSource examined = new(), released = new();
        await using EchoApplication echo = await EchoApplication.StartAsync(lab.B, Name);
        echo.Examining = () =>
        {
            examined.TrySetResult();
            return released.Task;
        };
        ChildProcess pass = lab.A.StartCommand("pass", $"{AgentLab.NameOf(peer)}", "--as", Name, "--to", LabAgent.NameB);
        await examined.Task.WaitAsync(s_limit);
        Assert.True(StoppedProcess.IsStopped(netcat.Pid));
        await lab.A.KillAsync();
        await pass.DisposeAsync();
        echo.Objection = "There is no room.";
        released.SetResult();
        await lab.A.StartAsync();
        await ExchangeAsync(peer, netcat, "after"); // the new agent has thawed the connection, and let the process run
        Assert.False(StoppedProcess.IsStopped(netcat.Pid));
        await lab.AssertNothingIsLeftAsync();
        AgentLab.AssertClean(await lab.JudgeAsync());
    }

    [Fact]
    public async Task A_program_that_is_not_there_is_named_at_once()
    {
        (int exitCode, _, string error) = await Command.RunAsync("receive", Name, "--", "/nowhere/program");
        Assert.Equal(2, exitCode);
        Assert.Contains("/nowhere/program", error, StringComparison.Ordinal);
    }

    private Task<AgentLab> StartAsync() => AgentLab.StartAsync(certificates, AgentLab.Takeover, lab => lab.A.Configuration["unaware"] = true);

    private static async Task ExchangeAsync(Socket peer, ChildProcess netcat, string word)
    {
        peer.Send(Encoding.ASCII.GetBytes($"{word} there\n"));
        await netcat.Output!.WaitForAsync($"{word} there\n", s_limit);
        await netcat.Input!.WriteAsync(Encoding.ASCII.GetBytes($"{word} back\n"));
        await netcat.Input.FlushAsync();
        Assert.Equal($"{word} back\n", Receive(peer));
    }

    // A line, or nothing at the end of the stream.
    private static string Receive(Socket peer)
    {
        StringBuilder line = new();
        byte[] one = new byte[1];
        while (!line.ToString().EndsWith('\n') && peer.Receive(one) == 1)
            line.Append((char)one[0]);
        return line.ToString();
    }
}
