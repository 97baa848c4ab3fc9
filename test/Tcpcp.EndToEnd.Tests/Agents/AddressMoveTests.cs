using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Tcpcp.Core;
using Tcpcp.Lab;

namespace Tcpcp.EndToEnd.Tests.Agents;

/// <summary><c>tcpcp drain --take-addresses</c>: connection by connection while the address stays, and the address at the end.</summary>
[Collection(HeavyTests.Name)]
public sealed class AddressMoveTests(LabCertificates certificates)
{
    private const int BytesPerSecond = 100_000;
    private const int Comers = 4;

    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);

    [Theory]
    [InlineData(ServiceFamily.IPv4, 1000, 20_000)]
    [InlineData(ServiceFamily.IPv6, 50, BytesPerSecond)]
    public async Task All_go_on_and_new_ones_come_when_the_host_is_switched_off(ServiceFamily family, int many, int bytesPerSecond)
    {
        await using AgentLab lab = await AgentLab.StartWithEchoAsync(certificates, family: family);
        IReadOnlyList<EchoConversation> conversations = await lab.ConverseManyAsync(many, bytesPerSecond);
        using CancellationTokenSource stop = new();
        Task<int>[] comers = BeginComing(lab, stop.Token);

        (int exitCode, string output, string error) = await lab.A.RunAsync("drain", "--to", LabAgent.NameB, "--take-addresses");
        Assert.True(output.Contains($"{lab.Service} moved to {LabAgent.NameB}.", StringComparison.Ordinal), $"{exitCode} {output}{error}{lab.A.Log}{lab.B.Log}");
        Assert.False(HasAddress(lab.A.Host, lab.Service));
        Assert.True(HasAddress(lab.B.Host, lab.Service));
        Assert.Empty(lab.A.Forwarded);
        Assert.All(conversations, conversation => Assert.True(lab.B.Owns(conversation.Connection)));

        await SwitchOffAsync(lab, conversations, bytesPerSecond / 2, stop, comers);
    }

    [Fact]
    public async Task At_its_new_home_connections_are_forwarded_and_come_back_as_before()
    {
        await using AgentLab lab = await AgentLab.StartWithEchoAsync(certificates);
        EchoConversation conversation = await lab.ConverseAsync();
        JsonElement[] reports = [.. await lab.A.JsonAsync(0, "drain", "--to", LabAgent.NameB, "--take-addresses")];
        Assert.Equal($"{lab.Service}", reports[^1].GetProperty("address").GetString());
        Assert.Equal("None", reports[^1].GetProperty("failure").GetString());

        EchoConversation other = await lab.ConverseAsync();
        Assert.True(lab.B.Owns(other.Connection));
        foreach (EchoConversation one in (EchoConversation[])[conversation, other])
        {
            await lab.B.PassAsync(one.Connection, lab.A);
            await one.ProgressAsync(100_000);
            Assert.Equal([one.Connection], lab.B.Forwarded);
            await lab.A.PassAsync(one.Connection, lab.B);
            await one.ProgressAsync(100_000);
        }

        await lab.B.RunAsync("drain", "--to", LabAgent.NameA, "--take-addresses");
        Assert.True(HasAddress(lab.A.Host, lab.Service));
        await lab.FinishAsync();
    }

    [Fact]
    public async Task With_a_connection_that_cannot_go_and_cannot_be_sent_back_the_address_stays_and_both_are_named_and_the_order_may_be_given_again()
    {
        await using AgentLab lab = await AgentLab.StartWithEchoAsync(certificates, configure: one => one.B.Configuration["destinations"] = new System.Text.Json.Nodes.JsonObject());
        IReadOnlyList<EchoConversation> conversations = await lab.ConverseManyAsync(4, BytesPerSecond);
        lab.EchoA!.Reluctant = conversations[1].Connection;
        await lab.UntilMetAsync();
        (int exitCode, string output, _) = await lab.A.RunAsync("drain", "--to", LabAgent.NameB, "--take-addresses");
        Assert.Equal(1, exitCode);
        string text = string.Join(' ', output.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains($"{lab.Service} stays: It could not send the packets of connections that stay back to {LabAgent.NameA}", text, StringComparison.Ordinal);
        Assert.Contains($"1 of its connections could not be passed and stay here: {conversations[1].Connection}", text, StringComparison.Ordinal);
        Assert.True(HasAddress(lab.A.Host, lab.Service));
        Assert.False(HasAddress(lab.B.Host, lab.Service));
        EchoConversation later = await lab.ConverseAsync(BytesPerSecond); // new ones come here as before
        Assert.True(lab.A.Owns(later.Connection));

        lab.EchoA.Reluctant = null;
        Assert.Equal(0, (await lab.A.RunAsync("drain", "--to", LabAgent.NameB, "--take-addresses")).ExitCode);
        Assert.True(HasAddress(lab.B.Host, lab.Service));
        await lab.FinishAsync();
    }

    [Theory]
    [InlineData(ServiceFamily.IPv4, 300, 20_000)]
    [InlineData(ServiceFamily.IPv6, 50, BytesPerSecond)]
    public async Task An_address_that_moves_first_takes_new_connections_with_it_before_any_other_is_passed(ServiceFamily family, int many, int bytesPerSecond)
    {
        await using AgentLab lab = await AgentLab.StartWithEchoAsync(certificates, family: family);
        IReadOnlyList<EchoConversation> conversations = await lab.ConverseManyAsync(many, bytesPerSecond);
        using CancellationTokenSource stop = new();
        Task<int>[] comers = BeginComing(lab, stop.Token);
        lab.EchoA!.Reluctant = conversations[1].Connection;
        IReadOnlyList<JsonElement> reports = await lab.A.JsonAsync(1, "drain", "--to", LabAgent.NameB, "--take-addresses", "--address-first", $"{lab.Service}");
        Assert.Equal(($"{lab.Service}", "None"), (reports[0].GetProperty("address").GetString(), reports[0].GetProperty("failure").GetString()));
        Assert.Equal(many - 1, reports.Skip(1).Count(report => report.GetProperty("failure").GetString() == "None" && report.GetProperty("connection").ValueKind == JsonValueKind.String));
        EchoConversation later = await lab.ConverseAsync(bytesPerSecond);
        Assert.True(lab.B.Owns(later.Connection));
        Assert.True(lab.A.Owns(conversations[1].Connection));
        Assert.True(HasAddress(lab.B.Host, lab.Service));

        lab.EchoA.Reluctant = null;
        Assert.Equal(0, (await lab.A.RunAsync("drain", "--to", LabAgent.NameB)).ExitCode);
        await Eventually.True(() => !HasAddress(lab.A.Host, lab.Service) && lab.B.Forwarded.Count == 0);
        await SwitchOffAsync(lab, conversations, bytesPerSecond / 2, stop, comers);
    }

    // Its first host remembers yet that it has sent the packets on: two hosts that send them to each other would do so for ever.
    [Theory]
    [InlineData(ServiceFamily.IPv4)]
    [InlineData(ServiceFamily.IPv6)]
    public async Task What_was_passed_before_its_address_moved_comes_back_although_the_address_does_not(ServiceFamily family)
    {
        await using AgentLab lab = await AgentLab.StartWithEchoAsync(certificates, family: family);
        IReadOnlyList<EchoConversation> conversations = await lab.ConverseManyAsync(3, BytesPerSecond);
        lab.EchoA!.Reluctant = conversations[0].Connection;
        Assert.Equal(1, (await lab.A.RunAsync("drain", "--to", LabAgent.NameB, "--take-addresses")).ExitCode);
        Assert.Equal(2, lab.A.Forwarded.Count);
        for (int i = 0; i < 2; i++)
        {
            await lab.B.PassAsync(conversations[1].Connection, lab.A);
            await conversations[1].ProgressAsync(50_000);
            Assert.True(lab.A.Owns(conversations[1].Connection));
            await lab.A.PassAsync(conversations[1].Connection, lab.B);
            await conversations[1].ProgressAsync(50_000);
        }

        await Task.WhenAll(conversations.Select(conversation => conversation.ProgressAsync(50_000)));
        await lab.FinishAsync();
    }

    // An answer that was lost: the first host does not know that the address has moved.
    [Fact]
    public async Task Where_both_hosts_have_the_address_a_pass_is_refused_and_the_order_may_be_given_again()
    {
        await using AgentLab lab = await AgentLab.StartWithEchoAsync(certificates);
        IReadOnlyList<EchoConversation> conversations = await lab.ConverseManyAsync(3, BytesPerSecond);
        lab.EchoA!.Reluctant = conversations[0].Connection;
        Assert.Equal(1, (await lab.A.RunAsync("drain", "--to", LabAgent.NameB, "--take-addresses", "--address-first", $"{lab.Service}")).ExitCode);
        await lab.A.KillAsync();
        File.Delete(Path.Combine(lab.A.JournalDirectory, "left-addresses.json"));
        lab.A.Host.AddOwnAddress(lab.Service);
        await lab.A.StartAsync();
        lab.EchoA.Reluctant = null;
        string said = "";
        await Eventually.True(async () => (said = (await lab.A.RunAsync("pass", $"{conversations[0].Connection}", "--to", LabAgent.NameB)).Output).Contains("forwards its packets", StringComparison.Ordinal));
        await conversations[0].ProgressAsync(50_000);
        await Eventually.True(async () => (await lab.A.RunAsync("drain", "--to", LabAgent.NameB, "--take-addresses", "--address-first", $"{lab.Service}")).ExitCode == 0);
        await Task.WhenAll(conversations.Select(conversation => conversation.ProgressAsync(50_000)));
        Assert.Empty(lab.B.Forwarded);
        await lab.FinishAsync();
    }

    [Fact]
    public async Task What_cannot_move_first_is_refused_and_nothing_has_changed()
    {
        await using AgentLab lab = await AgentLab.StartWithEchoAsync(certificates);
        EchoConversation conversation = await lab.ConverseAsync();
        Assert.Equal(2, (await lab.A.RunAsync("drain", "--to", LabAgent.NameB, "--address-first", $"{lab.Service}")).ExitCode);
        Assert.Equal(2, (await lab.A.RunAsync("drain", "--to", LabAgent.NameB, "--take-addresses", "--address-first", "here")).ExitCode);
        lab.EchoA!.Reluctant = conversation.Connection;
        (int exitCode, string output, _) = await lab.A.RunAsync("drain", "--to", LabAgent.NameB, "--take-addresses", "--address-first", "10.0.0.77");
        Assert.Equal(1, exitCode);
        Assert.Contains("10.0.0.77 stays: 10.0.0.77 is not an address of its own", string.Join(' ', output.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
        Assert.True(HasAddress(lab.A.Host, lab.Service));
        Assert.True(lab.A.Owns(conversation.Connection));
        await lab.FinishAsync();
    }

    [Theory]
    [InlineData(ServiceFamily.IPv4)]
    [InlineData(ServiceFamily.IPv6)]
    public async Task Connections_that_cannot_go_stay_where_they_are_and_their_packets_are_sent_back(ServiceFamily family)
    {
        await using AgentLab lab = await AgentLab.StartWithEchoAsync(certificates, family: family);
        IReadOnlyList<EchoConversation> conversations = await lab.ConverseManyAsync(4, BytesPerSecond);
        EchoConversation staying = conversations[1];
        lab.EchoA!.Reluctant = staying.Connection;
        (int exitCode, string output, string error) = await lab.A.RunAsync("drain", "--to", LabAgent.NameB, "--take-addresses");
        Assert.True(exitCode == 1, output + error); // one was not passed
        string text = string.Join(' ', output.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains($"{lab.Service} moved to {LabAgent.NameB}. 1 of its connections could not be passed and stay here: {staying.Connection}", text, StringComparison.Ordinal);
        Assert.True(HasAddress(lab.B.Host, lab.Service));
        Assert.Equal([staying.Connection], lab.B.Forwarded);
        Assert.True(lab.A.Owns(staying.Connection));
        await Task.WhenAll(conversations.Select(one => one.ProgressAsync(20_000)));
        EchoConversation later = await lab.ConverseAsync(BytesPerSecond);
        Assert.True(lab.B.Owns(later.Connection));

        // Both agents may be started again, and what stayed may go later.
        await lab.A.KillAsync();
        await lab.B.KillAsync();
        await staying.ProgressAsync(20_000);
        await Task.WhenAll(lab.A.StartAsync(), lab.B.StartAsync());
        await staying.ProgressAsync(20_000);
        lab.EchoA.Reluctant = null;
        await Eventually.True(async () => (await lab.A.RunAsync("pass", $"{staying.Connection}", "--to", LabAgent.NameB)).ExitCode == 0);
        await staying.ProgressAsync(20_000);
        Assert.Empty(lab.B.Forwarded);
        await Eventually.True(() => !HasAddress(lab.A.Host, lab.Service));
        await lab.FinishAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_a_program_has_written_before_it_closed_reaches_the_peer(bool peerCloses)
    {
        const int Port = 8090;
        await using AgentLab lab = await AgentLab.StartWithEchoAsync(certificates);
        EchoConversation conversation = await lab.ConverseAsync(BytesPerSecond);
        using Socket listener = lab.A.Host.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
        listener.Bind(new IPEndPoint(lab.Service, Port));
        listener.Listen();
        using Socket peer = lab.Peer.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
        peer.ReceiveBufferSize = 16 << 10; // so that most waits to be sent
        await peer.ConnectAsync(new IPEndPoint(lab.Service, Port));
        FourTuple connection = AgentLab.NameOf(peer);
        byte[] bytes = new byte[256 << 10];
        int written = 0;
        using (Socket service = await listener.AcceptAsync())
        {
            listener.Dispose();
            if (peerCloses)
                peer.Shutdown(SocketShutdown.Send);
            await Eventually.True(() => lab.A.StateOf(connection) == (peerCloses ? TcpState.CloseWait : TcpState.Established));
            service.Blocking = false;
            Random.Shared.NextBytes(bytes);
            for (int count; (count = service.Send(bytes, SocketFlags.None, out _)) > 0;)
                written += count;
            service.Shutdown(SocketShutdown.Send);
        }

        Assert.Equal(peerCloses ? TcpState.LastAck : TcpState.FinWait1, lab.A.StateOf(connection));
        (_, string output, string error) = await lab.A.RunAsync("drain", "--to", LabAgent.NameB, "--take-addresses");
        Assert.True(HasAddress(lab.B.Host, lab.Service), output + error);
        Assert.Equal([connection], lab.B.Forwarded);
        int received = 0;
        for (int count; (count = await peer.ReceiveAsync(bytes).WaitAsync(s_limit)) > 0;)
            received += count;
        Assert.Equal(written, received);
        await conversation.ProgressAsync(20_000);
    }

    [Fact]
    public async Task What_sends_packets_back_goes_with_the_connection()
    {
        await using AgentLab lab = await AgentLab.StartWithEchoAsync(certificates);
        await lab.ConverseManyAsync(2, BytesPerSecond);
        EchoConversation staying = await lab.ConverseAsync(BytesPerSecond);
        lab.EchoA!.Reluctant = staying.Connection;
        await lab.A.RunAsync("drain", "--to", LabAgent.NameB, "--take-addresses");
        Assert.Equal([staying.Connection], lab.B.Forwarded);
        await lab.FinishAsync();
        await Eventually.True(() => lab.B.Forwarded.Count == 0);
        await Eventually.True(() => !HasAddress(lab.A.Host, lab.Service));
        await Eventually.True(() => lab.A.Host.Run(() => File.ReadAllText($"/proc/sys/net/ipv4/conf/{Host.InterfaceName}/arp_ignore").Trim()) == "0");
    }

    [Fact]
    public async Task When_the_agent_dies_meanwhile_new_connections_come_here_again_and_the_order_may_be_given_again()
    {
        await using AgentLab lab = await AgentLab.StartWithEchoAsync(certificates);
        await lab.ConverseManyAsync(2, BytesPerSecond);
        int asked = 0;
        lab.EchoA!.Quiescing = async () =>
        {
            int number = Interlocked.Increment(ref asked);
            if (number == 1)
                throw new InvalidOperationException("Not now."); // in the drain itself, which passes the other one
            if (number > 2)
                await lab.A.KillAsync();
        };
        await lab.A.RunAsync("drain", "--to", LabAgent.NameB, "--take-addresses");
        await Eventually.True(() => !lab.A.IsRunning);
        lab.EchoA.Quiescing = null;
        await lab.A.StartAsync();
        EchoConversation later = await lab.ConverseAsync(BytesPerSecond);
        Assert.True(lab.A.Owns(later.Connection));
        await lab.UntilMetAsync();
        (int exitCode, string output, string error) = await lab.A.RunAsync("drain", "--to", LabAgent.NameB, "--take-addresses");
        Assert.True(exitCode == 0, output + error + lab.A.Log + lab.B.Log);
        Assert.True(HasAddress(lab.B.Host, lab.Service));
        Assert.False(HasAddress(lab.A.Host, lab.Service));
        await lab.FinishAsync();
    }

    [Fact]
    public async Task Where_nobody_listens_the_address_does_not_go()
    {
        await using AgentLab lab = await AgentLab.StartAsync(certificates);
        await using EchoApplication a = await EchoApplication.StartAsync(lab.A, EchoApplication.Name, AgentLab.Port);
        await using EchoApplication b = await EchoApplication.StartAsync(lab.B, EchoApplication.Name);
        await lab.ConverseAsync();
        (int exitCode, string output, _) = await lab.A.RunAsync("drain", "--to", LabAgent.NameB, "--take-addresses");
        Assert.Equal(1, exitCode);
        Assert.Contains($"{lab.Service} stays: Nobody listens there at {lab.Service}, port {AgentLab.Port}", output, StringComparison.Ordinal);
        Assert.Equal((0, 1), (a.Count, b.Count));
        await lab.FinishAsync();
    }

    [Fact]
    public async Task With_several_destinations_or_takeover_it_is_refused()
    {
        await using AgentLab lab = await AgentLab.StartAsync(certificates, AgentLab.Takeover);
        (int exitCode, _, string error) = await lab.A.RunAsync("drain", "--to", LabAgent.NameB, "--take-addresses");
        Assert.Equal(1, exitCode);
        Assert.Contains("\"redirection\": \"forward\"", error, StringComparison.Ordinal);
        Assert.Contains("one agent", (await lab.A.RunAsync("drain", "--to", $"{LabAgent.NameB},{LabAgent.NameC}", "--take-addresses")).Error, StringComparison.Ordinal);
    }

    // Peers that come and go all the while.
    private static Task<int>[] BeginComing(AgentLab lab, CancellationToken stop) => [.. Enumerable.Range(0, Comers).Select(_ => Task.Run(() => lab.ComeAndGoAsync(stop)))];

    // Without the first host all go on, and others come.
    private static async Task SwitchOffAsync(AgentLab lab, IReadOnlyList<EchoConversation> conversations, int progress, CancellationTokenSource stop, Task<int>[] comers)
    {
        await lab.A.KillAsync();
        lab.A.Host.Network.Links.SetDown(Host.InterfaceName);
        await Task.WhenAll(conversations.Select(conversation => conversation.ProgressAsync(progress)));
        await stop.CancelAsync();
        int others = (await Task.WhenAll(comers)).Sum();
        Assert.True(others > Comers);
        await lab.FinishAsync(others);
    }

    private static bool HasAddress(Host host, IPAddress address) => host.Network.Addresses.List().Any(assigned => assigned.Address.Address.Equals(address));
}
