using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Tcpcp.Core;
using Tcpcp.Linux.Diagnostics;
using Tcpcp.Linux.Processes;

namespace Tcpcp.EndToEnd.Tests.Agents;

/// <summary>Connections of nc, which knows nothing of tcpcp, are passed to an application that does.</summary>
public sealed class UnawareProcessTests(LabCertificates certificates)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Its_socket_ends_quietly_and_the_application_at_the_destination_goes_on(bool byDescriptor)
    {
        await using AgentLab lab = await StartAsync();
        await using EchoApplication echo = await EchoApplication.StartAsync(lab.B, EchoApplication.Name);
        ChildProcess netcat = await StartNetcatAsync(lab.A);
        using Socket peer = lab.Connect();
        FourTuple connection = AgentLab.NameOf(peer);
        await ExchangeAsync(peer, netcat, "before");

        JsonElement report = Assert.Single(await lab.A.JsonAsync(0,
            "pass", byDescriptor ? DescriptorOf(lab.A, connection) : $"{connection}", "--as", EchoApplication.Name, "--to", LabAgent.NameB));
        Assert.Equal(($"{connection}", "None", "Destination"), Outcome(report));
        peer.Send("after\n"u8);
        Assert.Equal("after\n", Receive(peer, 6));
        Assert.Equal(1, echo.Count);

        await netcat.Exit.WaitAsync(s_limit);
        Assert.Equal("to before\n", netcat.Output!.Text);
        peer.Shutdown(SocketShutdown.Send);
        Assert.Equal(0, peer.Receive(new byte[1]));
        await lab.AssertNothingIsLeftAsync();
        AgentLab.AssertClean(await lab.JudgeAsync());
    }

    [Fact]
    public async Task What_is_not_allowed_or_not_taken_is_named_and_goes_on_where_it_was()
    {
        await using AgentLab lab = await StartAsync();
        await using EchoApplication echo = await EchoApplication.StartAsync(lab.B, EchoApplication.Name);
        ChildProcess netcat = await StartNetcatAsync(lab.A);
        using Socket peer = lab.Connect();
        FourTuple connection = AgentLab.NameOf(peer);
        await ExchangeAsync(peer, netcat, "first");
        string descriptor = DescriptorOf(lab.A, connection);

        echo.Objection = "It is not known here.";
        JsonElement report = Assert.Single(await lab.A.JsonAsync(1, "pass", descriptor, "--as", EchoApplication.Name, "--to", LabAgent.NameB));
        Assert.Equal(($"{connection}", "RefusedByApplication", "Origin"), Outcome(report));
        await ExchangeAsync(peer, netcat, "refused");

        // Host B's agent, too, may take sockets of processes, but this one's address is not its own.
        (int exitCode, string output, string error) = await lab.B.RunAsync("pass", descriptor, "--as", EchoApplication.Name, "--to", LabAgent.NameA);
        Assert.Equal(1, exitCode);
        Assert.Contains($"{connection}: RedirectionFailed", output + error, StringComparison.Ordinal);
        await ExchangeAsync(peer, netcat, "foreign");

        await AssertRefusedAsync("registered there", descriptor); // without --as
        await AssertRefusedAsync("No registered application", $"{connection}");
        await AssertRefusedAsync($"pid:{netcat.Pid}/99", $"pid:{netcat.Pid}/99", "--as", EchoApplication.Name);
        await AssertRefusedAsync("pid:4194304/3", "pid:4194304/3", "--as", EchoApplication.Name); // no process has such a number
        await lab.A.StopAsync();
        lab.A.Configuration["unaware"] = false;
        await lab.A.StartAsync();
        await AssertRefusedAsync("\"unaware\": true", descriptor, "--as", EchoApplication.Name);
        await AssertRefusedAsync("\"unaware\"", $"{connection}", "--as", EchoApplication.Name);

        await ExchangeAsync(peer, netcat, "last");
        Assert.DoesNotContain('T', ThreadStates.Of(netcat.Pid));
        peer.Shutdown(SocketShutdown.Send);
        await lab.AssertNothingIsLeftAsync();
        AgentLab.AssertClean(await lab.JudgeAsync());

        async Task AssertRefusedAsync(string reason, params string[] connection)
        {
            (int exitCode, string output, string error) = await lab.A.RunAsync(["pass", .. connection, "--to", LabAgent.NameB]);
            Assert.Equal(1, exitCode);
            Assert.Contains(reason, output + error, StringComparison.Ordinal);
        }
    }

    private Task<AgentLab> StartAsync() => AgentLab.StartAsync(certificates, configure: lab =>
    {
        lab.A.Configuration["unaware"] = true;
        lab.B.Configuration["unaware"] = true;
    });

    private static async Task<ChildProcess> StartNetcatAsync(LabAgent agent)
    {
        ChildProcess netcat = agent.Start("nc", ["-l", "-N", "0.0.0.0", AgentLab.Port.ToString(CultureInfo.InvariantCulture)], new ChildOptions { Input = ChildInput.Pipe });
        await agent.UntilListeningAsync(netcat);
        return netcat;
    }

    private static string DescriptorOf(LabAgent agent, FourTuple connection)
    {
        uint inode = agent.Host.Run(() =>
        {
            using SocketDiagnostics sockets = new();
            return sockets.Find(connection)!.Value.Inode;
        });
        SocketOwner owner = Assert.Single(SocketOwners.Read().Of(inode));
        return string.Create(CultureInfo.InvariantCulture, $"pid:{owner.ProcessId}/{owner.Descriptor}");
    }

    // Both ways, and both ends have what the other sent.
    private static async Task ExchangeAsync(Socket peer, ChildProcess netcat, string text)
    {
        peer.Send(Encoding.ASCII.GetBytes($"to {text}\n"));
        await netcat.Output!.WaitForAsync($"to {text}\n", s_limit);
        await netcat.Input!.WriteAsync(Encoding.ASCII.GetBytes($"from {text}\n"));
        await netcat.Input.FlushAsync();
        Assert.Equal($"from {text}\n", Receive(peer, $"from {text}\n".Length));
    }

    private static string Receive(Socket peer, int bytes)
    {
        byte[] buffer = new byte[bytes];
        for (int read = 0; read < bytes;)
        {
            int count = peer.Receive(buffer.AsSpan(read));
            Assert.True(count > 0, "The peer was told that the connection ended.");
            read += count;
        }

        return Encoding.ASCII.GetString(buffer);
    }

    private static (string? Connection, string? Failure, string? Owner) Outcome(JsonElement report) =>
        (report.GetProperty("connection").GetString(), report.GetProperty("failure").GetString(), report.GetProperty("owner").GetString());
}
