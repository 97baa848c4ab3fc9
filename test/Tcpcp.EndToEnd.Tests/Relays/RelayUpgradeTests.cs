using System.Text.Json;
using System.Text.Json.Nodes;
using Tcpcp.EndToEnd.Tests.Agents;

namespace Tcpcp.EndToEnd.Tests.Relays;

/// <summary>A new process of a relay takes listening sockets and sessions over from the old one, and nobody notices.</summary>
public sealed class RelayUpgradeTests(LabCertificates certificates)
{
    private const int Sessions = 8;
    private const int Progress = 300_000;

    [Theory]
    [InlineData(ServiceFamily.IPv4)]
    [InlineData(ServiceFamily.IPv6)]
    public async Task Sessions_go_on_in_the_new_process_while_others_come_and_go(ServiceFamily family)
    {
        await using RelayLab lab = await RelayLab.StartWithEchoAsync(certificates, family);
        IReadOnlyList<EchoConversation> conversations = await lab.Agents.ConverseManyAsync(Sessions, 5_000_000);
        using CancellationTokenSource stop = new();
        Task<int> coming = lab.Agents.ComeAndGoAsync(stop.Token);
        for (int upgrade = 0; upgrade < 3; upgrade++)
        {
            JsonElement said = await lab.A.UpgradeAsync();
            Assert.InRange(said.GetProperty("sessions").GetInt32(), Sessions, Sessions + 1);
            Assert.Equal(0, said.GetProperty("staying").GetInt32());
            await Task.WhenAll(conversations.Select(conversation => conversation.ProgressAsync(Progress)));
        }

        Assert.Equal(0, await lab.A.FirstEndedAsync());
        await stop.CancelAsync();
        int came = await coming;
        Assert.InRange(came, 1, int.MaxValue);
        await Eventually.True(async () => await lab.A.SessionsAsync(RelayLab.Listener) == Sessions);
        await lab.Agents.FinishAsync(came);
        AgentLab.AssertClean(await lab.JudgeServerAsync());
        await lab.A.UntilLoggedAsync("passes: 0"); // another process is no other host
    }

    [Fact]
    public async Task The_new_process_passes_sessions_to_other_hosts_and_takes_them()
    {
        await using RelayLab lab = await RelayLab.StartWithEchoAsync(certificates);
        IReadOnlyList<EchoConversation> conversations = await lab.Agents.ConverseManyAsync(Sessions, 1_000_000);
        await lab.A.UpgradeAsync();
        await lab.ThereAndBackAsync(Sessions);
        await lab.A.UpgradeAsync();
        await lab.DrainAsync(lab.A);
        await lab.B.UpgradeAsync();
        await lab.DrainAsync(lab.B);
        await Task.WhenAll(conversations.Select(conversation => conversation.ProgressAsync(Progress)));
        await lab.FinishAsync();
    }

    [Fact]
    public async Task If_the_new_process_cannot_run_the_old_one_goes_on()
    {
        await using RelayLab lab = await RelayLab.StartWithEchoAsync(certificates);
        IReadOnlyList<EchoConversation> conversations = await lab.Agents.ConverseManyAsync(Sessions, 1_000_000);
        await lab.A.WriteAsync("""{"listeners":{}""");
        (int exitCode, _, string error) = await lab.A.RunAsync("upgrade");
        Assert.Equal(1, exitCode);
        Assert.Contains("The new process has ended (exit code 2); this one goes on.", error, StringComparison.Ordinal);
        Assert.Equal(Sessions, await lab.A.SessionsAsync(RelayLab.Listener));
        await Task.WhenAll(conversations.Select(conversation => conversation.ProgressAsync(Progress)));
        Assert.Equal(Sessions, (await lab.A.UpgradeAsync()).GetProperty("sessions").GetInt32());
        await lab.FinishAsync();
    }

    [Fact]
    public async Task Sessions_that_the_new_configuration_has_no_place_for_stay_with_the_old_process_to_their_end()
    {
        await using RelayLab lab = await RelayLab.StartWithEchoAsync(certificates);
        IReadOnlyList<EchoConversation> conversations = await lab.Agents.ConverseManyAsync(Sessions, 1_000_000);
        JsonObject pools = lab.A.Configuration["pools"]!.AsObject();
        JsonNode pool = pools[RelayLab.Pool]!;
        pools.Remove(RelayLab.Pool);
        pools["renamed"] = pool;
        lab.A.Configuration["listeners"]![RelayLab.Listener]!["pool"] = "renamed";
        await UpgradeWithoutSessionsAsync(lab, conversations);
        await lab.Agents.ConverseManyAsync(2, 200_000);
        Assert.Equal(2, await lab.A.SessionsAsync(RelayLab.Listener));
        await FinishAsync(lab);
    }

    [Fact]
    public async Task Sessions_of_a_listener_that_was_taken_out_before_stay_to_their_end()
    {
        await using RelayLab lab = await RelayLab.StartWithEchoAsync(certificates);
        IReadOnlyList<EchoConversation> conversations = await lab.Agents.ConverseManyAsync(Sessions, 1_000_000);
        JsonObject listeners = lab.A.Configuration["listeners"]!.AsObject();
        JsonNode listener = listeners[RelayLab.Listener]!;
        listeners.Remove(RelayLab.Listener);
        listeners["renamed"] = listener;
        await lab.A.ReloadAsync();
        await UpgradeWithoutSessionsAsync(lab, conversations);
        await FinishAsync(lab);
    }

    [Fact]
    public async Task Without_a_relay_that_runs_there_is_nothing_to_take_over()
    {
        string directory = Directory.CreateTempSubdirectory("tcpcp-test-").FullName;
        try
        {
            string file = Path.Combine(directory, "relay.json");
            await File.WriteAllTextAsync(file, """
                {"agent":"none","control":{"socket":"@/relay.sock"},"listeners":{"l":{"listen":["127.0.0.1:1"],"pool":"p"}},"pools":{"p":{"servers":{"s":{"address":"127.0.0.1:2"}}}}}
                """.Replace("@", directory, StringComparison.Ordinal));
            (int exitCode, _, string error) = await Command.RunAsync(["relay", "--config", file, "--upgrade"]);
            Assert.Equal(1, exitCode);
            Assert.Contains("relay.sock", error, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static async Task UpgradeWithoutSessionsAsync(RelayLab lab, IReadOnlyList<EchoConversation> staying)
    {
        JsonElement said = await lab.A.UpgradeAsync();
        Assert.Equal((0, Sessions), (said.GetProperty("sessions").GetInt32(), said.GetProperty("staying").GetInt32()));
        await Task.WhenAll(staying.Select(conversation => conversation.ProgressAsync(Progress)));
    }

    // The old process ends with the last session that has stayed.
    private static async Task FinishAsync(RelayLab lab)
    {
        await lab.FinishAsync();
        Assert.Equal(0, await lab.A.FirstEndedAsync());
    }
}
