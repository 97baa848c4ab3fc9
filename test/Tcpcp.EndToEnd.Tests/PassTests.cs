using System.Text.Json;
using Tcpcp.Check;

namespace Tcpcp.EndToEnd.Tests;

public sealed class PassTests
{
    private const string A = "10.0.0.2";
    private const string B = "10.0.0.3";

    [Fact]
    public async Task A_download_goes_there_and_back_six_times_and_the_peer_notices_nothing()
    {
        await using PassedDownload download = await PassedDownload.StartAsync();
        for (int pass = 0; pass < 6; pass++)
        {
            await download.ReachAsync(0.1 + 0.13 * pass);
            JsonElement outcome = pass % 2 == 0 ? await PassedDownload.PassAsync(download.A, B) : await PassedDownload.PassAsync(download.B, A);
            Assert.Equal("None", outcome.GetProperty("failure").GetString());
        }

        ConnectionReport connection = AssertClean(await download.FinishAsync());
        Assert.Equal(6, connection.MacChanges);
    }

    [Fact]
    public async Task A_pass_refused_after_the_divert_goes_on_at_the_origin()
    {
        await using PassedDownload download = await PassedDownload.StartAsync(filesAtB: false);
        for (int pass = 0; pass < 4; pass++)
        {
            await download.ReachAsync(0.1 + 0.2 * pass);
            JsonElement outcome = await PassedDownload.PassAsync(download.A, B);
            Assert.Equal("RefusedByApplication", outcome.GetProperty("failure").GetString());
            Assert.Equal("Origin", outcome.GetProperty("owner").GetString());
        }

        ConnectionReport connection = AssertClean(await download.FinishAsync());
        Assert.Equal(0, connection.MacChanges);
        Assert.Contains("Undone", PassedDownload.Steps(download.B));
        Assert.Contains("Thawed", PassedDownload.Steps(download.A));
    }

    [Fact]
    public async Task A_pass_to_a_host_that_does_not_answer_changes_nothing()
    {
        await using PassedDownload download = await PassedDownload.StartAsync();
        await download.ReachAsync(0.3);
        await download.B.DisposeAsync();
        JsonElement outcome = await PassedDownload.PassAsync(download.A, B);
        Assert.Equal("DestinationUnreachable", outcome.GetProperty("failure").GetString());
        Assert.DoesNotContain("Begun", PassedDownload.Steps(download.A));
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
