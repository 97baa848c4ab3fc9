using System.Net;
using System.Net.Sockets;
using Tcpcp.Agent.Link;
using Tcpcp.Agent.Redirection;
using Tcpcp.Core;
using Tcpcp.Linux.Processes;

namespace Tcpcp.EndToEnd.Tests.Agents;

/// <summary>What its home keeps of a connection that has ended at another host: nothing, after a while.</summary>
public sealed class ForwardedEndsTests(LabCertificates certificates)
{
    private const int PeerPort = 40_000;

    public enum End
    {
        /// <summary>The peer closes first: it has TIME_WAIT.</summary>
        ByPeer,

        /// <summary>The peer resets.</summary>
        ByPeersReset,

        /// <summary>The application closes first: its host has TIME_WAIT.</summary>
        ByApplication,

        /// <summary>The application resets.</summary>
        ByApplicationsReset,
    }

    [Theory]
    [InlineData("bpf", End.ByPeer)]
    [InlineData("bpf", End.ByPeersReset)]
    [InlineData("bpf", End.ByApplicationsReset)]
    [InlineData("nftables", End.ByPeer)]
    [InlineData("nftables", End.ByApplicationsReset)]
    public async Task The_entry_goes_with_the_connection_and_its_port_can_be_used_again(string packetSwitch, End end)
    {
        await using AgentLab lab = await StartAsync(packetSwitch: packetSwitch);
        Socket peer = await lab.ConnectFromAsync(PeerPort);
        FourTuple connection = AgentLab.NameOf(peer);
        await lab.A.PassAsync(connection, lab.B);
        Assert.Equal([connection], lab.A.Forwarded);
        await EndAsync(lab, peer, end);
        await Eventually.True(() => lab.A.Forwarded.Count == 0);

        using Socket again = await lab.ConnectFromAsync(PeerPort);
        Assert.Equal(connection, AgentLab.NameOf(again));
        await EchoAsync(again);
        Assert.True(lab.A.Owns(connection));
    }

    [Fact]
    public async Task The_entry_stays_as_long_as_the_owner_has_TIME_WAIT_and_a_peer_that_comes_again_reaches_the_home()
    {
        await using AgentLab lab = await StartAsync();
        Socket peer = lab.Connect();
        FourTuple connection = AgentLab.NameOf(peer);
        await lab.A.PassAsync(connection, lab.B);
        await EndAsync(lab, peer, End.ByApplication);
        await Eventually.True(() => lab.B.StateOf(connection) == TcpState.TimeWait);
        await Task.Delay(TimeSpan.FromSeconds(2.5), TestContext.Current.CancellationToken); // the owner looks every second
        Assert.Equal(TcpState.TimeWait, lab.B.StateOf(connection));
        Assert.Equal([connection], lab.A.Forwarded);

        using Socket again = await lab.ConnectFromAsync(connection.Peer.Port);
        await EchoAsync(again);
        Assert.True(lab.A.Owns(connection));
        Assert.Empty(lab.A.Forwarded);
    }

    [Fact]
    public async Task What_ends_while_the_agent_of_the_home_is_dead_goes_when_the_next_one_is_there()
    {
        await using AgentLab lab = await StartAsync();
        Socket peer = lab.Connect();
        FourTuple connection = AgentLab.NameOf(peer);
        await lab.A.PassAsync(connection, lab.B);
        await lab.A.KillAsync();
        await EndAsync(lab, peer, End.ByPeersReset);
        Assert.Equal([connection], lab.A.Forwarded);
        await lab.A.StartAsync();
        await Eventually.True(() => lab.A.Forwarded.Count == 0);
    }

    [Fact]
    public async Task What_ends_while_the_agent_of_the_owner_is_dead_goes_when_the_next_one_is_there_and_what_lives_stays_and_can_go_home()
    {
        await using AgentLab lab = await StartAsync();
        Socket peer = lab.Connect();
        FourTuple connection = AgentLab.NameOf(peer);
        EchoConversation living = await lab.ConverseAsync();
        await lab.A.PassAsync(connection, lab.B);
        await lab.A.PassAsync(living.Connection, lab.B);
        await lab.B.KillAsync();
        await EndAsync(lab, peer, End.ByPeersReset);
        await lab.B.StartAsync();
        await Eventually.True(() => lab.A.Forwarded.Count == 1);
        Assert.Equal([living.Connection], lab.A.Forwarded);
        await living.ProgressAsync(200_000);
        await Eventually.True(async () => (await lab.B.RunAsync("pass", $"{living.Connection}", "--to", LabAgent.NameA)).ExitCode == 0);
        await living.ProgressAsync(200_000);
        Assert.True(lab.A.Owns(living.Connection));
        Assert.Empty(lab.A.Forwarded);
    }

    [Fact]
    public async Task When_the_owner_has_booted_the_home_tells_the_peer_that_the_connection_is_no_more()
    {
        await using AgentLab lab = await AgentLab.StartWithEchoAsync(certificates, AgentLab.Forward);
        EchoConversation conversation = await lab.ConverseAsync();
        await lab.A.PassAsync(conversation.Connection, lab.B);
        await conversation.ProgressAsync(20_000);
        await lab.RebootAsync(lab.B);
        await lab.B.StartAsync();
        await Eventually.True(() => lab.A.Forwarded.Count == 0);
        await conversation.EndedAsync();
    }

    [Fact]
    public async Task When_the_origin_has_booted_in_the_middle_of_a_pass_the_gate_at_the_host_that_refused_opens()
    {
        await using AgentLab lab = await AgentLab.StartWithEchoAsync(certificates, AgentLab.Forward);
        EchoConversation conversation = await lab.ConverseAsync();
        TaskCompletionSource came = new(TaskCreationOptions.RunContinuationsAsynchronously), booted = new(TaskCreationOptions.RunContinuationsAsynchronously);
        lab.EchoB!.Examining = () =>
        {
            came.TrySetResult();
            return booted.Task;
        };
        lab.EchoB.Objection = "not now";
        await using ChildProcess drain = lab.A.StartCommand("drain", "--to", LabAgent.NameB);
        await came.Task.WaitAsync(TimeSpan.FromSeconds(30));
        await lab.RebootAsync(lab.A);
        booted.SetResult();
        await Eventually.True(() => lab.B.Log.Contains($"{conversation.Connection}: refused to {LabAgent.NameA}", StringComparison.Ordinal));
        Assert.Equal(1, lab.B.ClosedGates);
        await lab.A.StartAsync();
        await Eventually.True(() => lab.B.ClosedGates == 0);
        Assert.Empty(await lab.B.OpenPassesAsync());
    }

    [Fact]
    public async Task Late_and_foreign_words_change_nothing()
    {
        await using AgentLab lab = await StartAsync();
        await LabCertificates.MakeAsync("host", "host-c", "--authority", certificates.AuthorityDirectory, "--out", Path.Combine(lab.DirectoryPath, "host-c"));
        EchoConversation conversation = await lab.ConverseAsync();
        await lab.A.PassAsync(conversation.Connection, lab.B);

        using HostRelay relay = HostRelay.Start(lab.B.Host, new IPEndPoint(lab.A.Host.IPv4, 7300));
        using DestinationChannel owner = ChannelBy(relay, certificates.FileOf(LabAgent.NameB), certificates.KeyOf(LabAgent.NameB));
        using DestinationChannel stranger = ChannelBy(
            relay, Path.Combine(lab.DirectoryPath, "host-c", "host-c.pem"), Path.Combine(lab.DirectoryPath, "host-c", "host-c.key"));
        ForwardedConnection first = Assert.Single(await owner.ListForwardedAsync([], TestContext.Current.CancellationToken));
        Assert.Equal(conversation.Connection, first.Connection);
        Assert.Empty(await stranger.ListForwardedAsync([], TestContext.Current.CancellationToken));
        Assert.Equal([first.Connection], await stranger.EndForwardedAsync([first], TestContext.Current.CancellationToken));
        Assert.Equal([first.Connection], lab.A.Forwarded);

        await conversation.ProgressAsync(200_000);
        await lab.B.PassAsync(conversation.Connection, lab.A);
        Assert.Empty(await owner.EndForwardedAsync([first], TestContext.Current.CancellationToken));
        await lab.A.PassAsync(conversation.Connection, lab.B);
        Assert.Equal([first.Connection], await owner.EndForwardedAsync([first], TestContext.Current.CancellationToken));
        Assert.Equal([first.Connection], lab.A.Forwarded);
        await conversation.ProgressAsync(200_000);

        ForwardedConnection second = Assert.Single(await owner.ListForwardedAsync([first.Connection], TestContext.Current.CancellationToken));
        Assert.NotEqual(first.Number, second.Number);
        await lab.FinishAsync();
        await Eventually.True(() => lab.A.Forwarded.Count == 0);
        Assert.Empty(await owner.EndForwardedAsync([second], TestContext.Current.CancellationToken)); // once more
    }

    [Fact]
    public async Task Of_hundreds_of_ends_at_once_nothing_is_left()
    {
        const int Count = 200;
        await using AgentLab lab = await StartAsync();
        Socket[] peers = [.. Enumerable.Range(0, Count).Select(_ => lab.Connect())];
        await Eventually.True(() => lab.EchoA!.Count == Count);
        (int exitCode, string output, string error) = await lab.A.RunAsync("drain", "--to", LabAgent.NameB);
        Assert.True(exitCode == 0, output + error);
        Assert.Equal(Count, lab.A.Forwarded.Count);
        foreach (Socket peer in peers)
            peer.Dispose();
        await Eventually.True(() => lab.A.Forwarded.Count == 0);
    }

    private async Task<AgentLab> StartAsync(string packetSwitch = "auto") => await AgentLab.StartWithEchoAsync(certificates, configure: lab =>
    {
        foreach (LabAgent agent in (LabAgent[])[lab.A, lab.B])
            agent.Configuration["packet-switch"] = packetSwitch;
    });

    private static async Task EndAsync(AgentLab lab, Socket peer, End end)
    {
        FourTuple connection = AgentLab.NameOf(peer);
        if (end is End.ByPeersReset)
            peer.LingerState = new LingerOption(true, 0);
        else if (end is End.ByApplication or End.ByApplicationsReset)
            lab.EchoB!.EndAll(reset: end is End.ByApplicationsReset);
        if (end is End.ByApplication)
            Assert.Equal(0, await peer.ReceiveAsync(new byte[1]));
        peer.Dispose();
        await Eventually.True(() => lab.B.StateOf(connection) is null or TcpState.TimeWait);
    }

    private static async Task EchoAsync(Socket peer)
    {
        await peer.SendAsync("again"u8.ToArray());
        byte[] answer = new byte[5];
        await Eventually.True(() => peer.Available >= answer.Length);
        await peer.ReceiveAsync(answer);
        Assert.Equal("again"u8.ToArray(), answer);
    }

    private DestinationChannel ChannelBy(HostRelay relay, string certificate, string key) => new(
        new DestinationAddress(LabAgent.NameA, relay.EndPoint), null, AgentCredentials.Open(new CertificateFiles(certificate, key, certificates.Authority), _ => { }), _ => { });
}
