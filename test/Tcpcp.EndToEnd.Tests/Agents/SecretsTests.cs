using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Tcpcp.Core;

namespace Tcpcp.EndToEnd.Tests.Agents;

/// <summary>Data, application state and keys are nobody's business.</summary>
public sealed class SecretsTests(LabCertificates certificates)
{
    private const string Data = "the-peers-own-words-4711";
    private const string State = "the-applications-own-state-4712";
    private const UnixFileMode ForOthers = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    [Fact]
    public async Task Neither_logs_nor_status_nor_metrics_show_data_state_or_keys()
    {
        await using AgentLab lab = await AgentLab.StartWithEchoAsync(certificates, configure: one =>
        {
            foreach (LabAgent agent in one.Agents)
            {
                agent.Configuration["log-level"] = "trace";
                agent.Configuration["metrics"] = new JsonObject { ["listen"] = $"{agent.Host.IPv4}:9100" };
            }
        });
        lab.EchoA!.State = Encoding.UTF8.GetBytes(State);
        using Socket peer = lab.Connect();
        FourTuple connection = AgentLab.NameOf(peer);
        Exchange(peer);
        lab.EchoB!.Objection = "not now";
        string seen = Text(await lab.A.RunAsync("pass", $"{connection}", "--to", LabAgent.NameB)); // what fails is told at greater length
        lab.EchoB.Objection = null;
        await lab.A.PassAsync(connection, lab.B);
        Exchange(peer);
        Assert.Equal(State, Encoding.UTF8.GetString(lab.EchoB.StateThatCame.Span)); // it was really there
        foreach (LabAgent agent in lab.Agents)
        {
            foreach (string[] command in (string[][])[["status"], ["status", "--json"], ["resolve", "--all"], ["resolve", "--all", "--json"]])
                seen += Text(await agent.RunAsync(command));
            using HttpResponseMessage metrics = await ObservedLab.GetAsync(agent, "/metrics");
            seen += await metrics.Content.ReadAsStringAsync();
            Assert.Equal(0, await agent.StopAsync());
            seen += agent.Log;
        }

        Assert.Contains($"{connection}", seen, StringComparison.Ordinal);
        Assert.Contains("not now", seen, StringComparison.Ordinal);
        Assert.All(Secrets(), secret => Assert.DoesNotContain(secret, seen, StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task What_has_secrets_on_disk_is_its_owners_alone()
    {
        await using AgentLab lab = await AgentLab.StartWithEchoAsync(certificates);
        lab.EchoA!.State = Encoding.UTF8.GetBytes(State);
        using Socket peer = lab.Connect();
        Exchange(peer);
        await lab.A.PassAsync(AgentLab.NameOf(peer), lab.B);
        string[] journals = [.. lab.Agents.SelectMany(agent => Directory.GetFiles(agent.JournalDirectory))];
        Assert.NotEmpty(journals);
        Assert.All([.. journals, certificates.KeyOf(LabAgent.NameA), certificates.KeyOf(LabAgent.NameB)],
            file => Assert.Equal(UnixFileMode.None, File.GetUnixFileMode(file) & ForOthers));
        Assert.All(lab.Agents, agent => Assert.Equal(UnixFileMode.None, File.GetUnixFileMode(agent.JournalDirectory) & (ForOthers | UnixFileMode.OtherExecute)));
    }

    // As they are, and as they would look if they were dumped as hexadecimal digits or base 64, from whichever byte on.
    private IEnumerable<string> Secrets()
    {
        foreach (string text in (string[])[Data, State])
        {
            yield return text;
            yield return Convert.ToHexString(Encoding.UTF8.GetBytes(text));
            for (int first = 0; first < 3; first++)
                yield return Convert.ToBase64String(Encoding.UTF8.GetBytes(text[first..(first + 12)])).TrimEnd('=');
        }

        foreach (string agent in (string[])[LabAgent.NameA, LabAgent.NameB])
        {
            string pem = File.ReadAllText(certificates.KeyOf(agent));
            yield return "PRIVATE KEY";
            yield return pem.Split('\n')[2]; // the first line is the algorithm's name, and the same in all
            using ECDsa key = ECDsa.Create();
            key.ImportFromPem(pem);
            yield return Convert.ToHexString(key.ExportParameters(includePrivateParameters: true).D!);
        }
    }

    private static string Text((int ExitCode, string Output, string Error) run) => run.Output + run.Error;

    private static void Exchange(Socket peer)
    {
        peer.Send(Encoding.UTF8.GetBytes(Data));
        byte[] buffer = new byte[Data.Length];
        for (int read = 0; read < buffer.Length;)
        {
            int count = peer.Receive(buffer.AsSpan(read));
            Assert.True(count > 0);
            read += count;
        }

        Assert.Equal(Data, Encoding.UTF8.GetString(buffer));
    }
}
