using System.Text.Json;
using Tcpcp.Check;
using Tcpcp.EndToEnd.Tests.Agents;

namespace Tcpcp.EndToEnd.Tests;

public sealed class PassTests(LabCertificates certificates)
{
    [Fact]
    public async Task A_download_goes_there_and_back_six_times_and_the_peer_notices_nothing()
    {
        await using PassedDownload download = await PassedDownload.StartAsync(certificates);
        for (int pass = 0; pass < 6; pass++)
        {
            await download.ReachAsync(0.1 + 0.13 * pass);
            JsonElement outcome = pass % 2 == 0 ? await download.A.PassToAsync(LabAgent.NameB) : await download.B.PassToAsync(LabAgent.NameA);
            Assert.True(outcome.GetProperty("failure").GetString() == "None", outcome.ToString());
        }

        ConnectionReport connection = AssertClean(await download.FinishAsync());
        Assert.Equal(6, connection.MacChanges);
    }

    [Fact]
    public async Task A_pass_refused_after_the_divert_goes_on_at_the_origin()
    {
        await using PassedDownload download = await PassedDownload.StartAsync(certificates, filesAtB: false);
        for (int pass = 0; pass < 4; pass++)
        {
            await download.ReachAsync(0.1 + 0.2 * pass);
            JsonElement outcome = await download.A.PassToAsync(LabAgent.NameB);
            Assert.Equal("RefusedByApplication", outcome.GetProperty("failure").GetString());
            Assert.Equal("Origin", outcome.GetProperty("owner").GetString());
        }

        ConnectionReport connection = AssertClean(await download.FinishAsync());
        Assert.Equal(0, connection.MacChanges);
        await Eventually.True(() => download.B.Agent.Log.Contains("Destination Undone", StringComparison.Ordinal));
        await Eventually.True(() => download.A.Agent.Log.Contains("Origin Thawed", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_pass_to_a_host_that_does_not_answer_changes_nothing()
    {
        await using PassedDownload download = await PassedDownload.StartAsync(certificates);
        await download.ReachAsync(0.3);
        await download.B.DisposeAsync();
        JsonElement outcome = await download.A.PassToAsync(LabAgent.NameB);
        Assert.Equal("DestinationUnreachable", outcome.GetProperty("failure").GetString());
        Assert.DoesNotContain("Origin Begun", download.A.Agent.Log, StringComparison.Ordinal);
        AssertClean(await download.FinishAsync());
    }

    private static ConnectionReport AssertClean(CaptureReport report)
    {
        Assert.Equal([], report.Connections.SelectMany(connection => connection.Findings).Select(finding => finding.Message));
        Assert.Equal(Verdict.Clean, report.Verdict);
        ConnectionReport connection = Assert.Single(report.Connections);
        Assert.Equal(0, connection.ServiceResets);
        Assert.Equal(0, connection.UnexpectedFins);
        Assert.True(connection.HasServiceFin || connection.Service.StreamBytes > PassedDownload.Bytes);
        return connection;
    }
}
