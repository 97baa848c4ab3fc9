using System.Net;
using System.Text.Json;

namespace Tcpcp.EndToEnd.Tests.Agents;

/// <summary>What can be seen of agents and passes.</summary>
public sealed class ObservationTests(ObservedLab observed) : IClassFixture<ObservedLab>
{
    [Fact]
    public async Task Status_counts_passes_and_names_applications_and_other_agents()
    {
        JsonElement a = Assert.Single(await observed.Lab.A.JsonAsync(0, "status"));
        Assert.Equal((LabAgent.NameA, AgentLab.Forward), (a.GetProperty("host").GetString(), a.GetProperty("redirection").GetString()));
        Assert.Equal((1, 0, 1, 0, 0), (a.GetProperty("passed_out").GetInt32(), a.GetProperty("passed_in").GetInt32(), a.GetProperty("refused").GetInt32(),
            a.GetProperty("open_passes").GetInt32(), a.GetProperty("in_doubt").GetInt32()));
        JsonElement application = Assert.Single(a.GetProperty("applications").EnumerateArray());
        Assert.Equal(("echo", Environment.ProcessId), (application.GetProperty("name").GetString(), application.GetProperty("process_id").GetInt32()));
        JsonElement destination = Assert.Single(a.GetProperty("destinations").EnumerateArray());
        Assert.Equal((LabAgent.NameB, true), (destination.GetProperty("name").GetString(), destination.GetProperty("is_connected").GetBoolean()));
        JsonElement b = Assert.Single(await observed.Lab.B.JsonAsync(0, "status"));
        Assert.Equal((0, 1, 1), (b.GetProperty("passed_out").GetInt32(), b.GetProperty("passed_in").GetInt32(), b.GetProperty("failed").GetInt32()));
        Assert.NotEqual(a.GetProperty("incarnation").GetGuid(), b.GetProperty("incarnation").GetGuid());

        (int exitCode, string table, _) = await observed.Lab.A.RunAsync("status");
        Assert.Equal(0, exitCode);
        Assert.Contains("1 out, 0 in, 1 refused here, 0 failed; 0 open, 0 in doubt", table, StringComparison.Ordinal);
        Assert.Contains($"{LabAgent.NameB} at 10.0.0.3:7300: connected", table, StringComparison.Ordinal);
        Assert.Contains("echo (echo, process ", table, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_an_agent_status_says_so()
    {
        (int exitCode, _, string error) = await Command.RunAsync("status", "--agent", "/nowhere/agent.sock");
        Assert.Equal(1, exitCode);
        Assert.Contains("No agent listens at /nowhere/agent.sock", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Health_is_ok_and_there_is_nothing_else()
    {
        using HttpResponseMessage health = await ObservedLab.GetAsync(observed.Lab.A, "/healthz");
        Assert.Equal((HttpStatusCode.OK, "ok\n"), (health.StatusCode, await health.Content.ReadAsStringAsync()));
        using HttpResponseMessage other = await ObservedLab.GetAsync(observed.Lab.A, "/tcpcp.v1.Passing/Ping");
        Assert.False(other.IsSuccessStatusCode); // agents are served over TLS alone
    }

    [Fact]
    public void Metrics_count_a_pass_at_both_sides_and_its_blackout()
    {
        Assert.Equal(1, Increase(0, "tcpcp_passes_total{side=\"origin\",outcome=\"passed\"}"));
        Assert.Equal(1, Increase(0, "tcpcp_passes_total{side=\"destination\",outcome=\"refused\"}"));
        Assert.Equal(1, Increase(1, "tcpcp_passes_total{side=\"destination\",outcome=\"passed\"}"));
        Assert.Equal(1, Increase(1, "tcpcp_passes_total{side=\"origin\",outcome=\"RefusedByApplication\"}"));
        Assert.Equal(1, Increase(1, "tcpcp_blackout_seconds_count"));
        Assert.InRange(Increase(1, "tcpcp_blackout_seconds_sum"), 0.00001, 60);
        string[] buckets = [.. observed.After[1].Keys.Where(name => name.StartsWith("tcpcp_blackout_seconds_bucket", StringComparison.Ordinal))];
        Assert.Contains("tcpcp_blackout_seconds_bucket{le=\"5E-05\"}".ToUpperInvariant(), buckets.Select(name => name.ToUpperInvariant()));
        Assert.Contains("tcpcp_blackout_seconds_bucket{le=\"+Inf\"}", buckets);
        Assert.Equal(1, observed.After[0]["tcpcp_applications"]);
        Assert.Equal(1, observed.After[0]["tcpcp_links"]);
        Assert.Equal(0, observed.After[0]["tcpcp_open_passes"]);
        Assert.True(observed.After[0]["tcpcp_journal_bytes"] > 0);
    }

    [Fact]
    public void Metrics_name_no_connection() => Assert.All(observed.After.SelectMany(one => one.Keys), name =>
    {
        Assert.DoesNotContain("10.0.0.", name, StringComparison.Ordinal);
        Assert.DoesNotContain(observed.PassId, name, StringComparison.Ordinal);
    });

    [Fact]
    public async Task A_pass_is_one_trace_over_both_agents_with_a_span_for_each_step()
    {
        await Eventually.True(() => Ended(LabAgent.NameA, "pass") && Ended(LabAgent.NameB, "take"));
        ExportedSpan[] spans = [.. observed.Collector.Spans.Where(span => span.Trace == observed.PassId)];
        ExportedSpan pass = Assert.Single(spans, span => span.Name == "pass");
        ExportedSpan take = Assert.Single(spans, span => span.Name == "take");
        Assert.Equal((LabAgent.NameA, LabAgent.NameB), (pass.Agent, take.Agent));
        Assert.Equal(pass.Id, take.Parent);
        Assert.All((ExportedSpan[])[pass, take], span => Assert.Equal(($"{observed.Connection}", observed.PassId), (span.Attributes["connection"], span.Attributes["pass"])));
        Assert.Equal(["Offered", "Begun", "Quiesced", "Diverted", "Frozen", "Captured", "SendingRecorded", "Sent", "Released", "Done"], StepsOf(pass));
        Assert.Equal(["Ready", "Received", "Restored", "Accepted", "Activating", "Woken", "Replayed", "Activated"], StepsOf(take));
        Assert.All(spans, span => Assert.True(span.BeginNs <= span.EndNs));
        await Eventually.True(() => observed.Collector.Metrics > 0);

        bool Ended(string agent, string name) => observed.Collector.Spans.Any(span => span.Agent == agent && span.Name == name && span.Trace == observed.PassId);
        IEnumerable<string> StepsOf(ExportedSpan parent) => spans.Where(span => span.Parent == parent.Id && span.Agent == parent.Agent)
            .OrderBy(span => span.EndNs).ThenBy(span => span.BeginNs).Select(span => span.Name);
    }

    [Fact]
    public void Logs_name_the_connection_and_the_pass()
    {
        Assert.Contains($"<6>tcpcp[11] {observed.Connection}: passed to {LabAgent.NameB}. [pass {observed.PassId}]", observed.Lab.A.Log, StringComparison.Ordinal);
        Assert.Matches($@"<6>tcpcp\[12\] {observed.Connection}: came from {LabAgent.NameA}, blackout \d+ us, \d+ held packets replayed. \[pass {observed.PassId}\]", observed.Lab.B.Log);
        Assert.Matches($@"<4>tcpcp\[14\] {observed.Connection}: refused to {LabAgent.NameB}: .*It was here already.* \[pass [0-9a-f]{{32}}\]", observed.Lab.A.Log);
        Assert.Matches($@"<4>tcpcp\[13\] {observed.Connection}: not passed to {LabAgent.NameA}, owner Origin: .* \[pass [0-9a-f]{{32}}\]", observed.Lab.B.Log);
    }

    private double Increase(int agent, string sample) => observed.After[agent][sample] - observed.Before[agent].GetValueOrDefault(sample);
}
