using System.Buffers.Binary;
using System.Globalization;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Tcpcp.AspNetCore.Tests.Labs;
using Tcpcp.EndToEnd.Tests;
using Tcpcp.EndToEnd.Tests.Agents;
using Tcpcp.Linux.Processes;

namespace Tcpcp.AspNetCore.Tests;

/// <summary>Responses that are passed before they are over.</summary>
public sealed class ResponseTests(LabCertificates certificates)
{
    private const int Count = 2_000_000;

    [Theory]
    [InlineData("chunked")]
    [InlineData("length")]
    public async Task An_endpoint_goes_on_where_it_stood_at_a_checkpoint(string path)
    {
        await using WebLab lab = await StartAsync();
        await using ChildProcess curl = lab.StartClient("curl", "-sS", "--fail", "--limit-rate", "8M", $"{lab.Address}{path}");
        await curl.Output!.WaitForAsync("1\n", TimeSpan.FromSeconds(30));
        await lab.BackAndForthAsync(3, connections: 1);
        Assert.False(curl.Exit.IsCompleted);
        string[] lines = (await lab.OutputAsync(curl)).Split('\n');
        Assert.Equal(Count + 1, lines.Length);
        Assert.All(lines[..^1], (line, i) => Assert.Equal(Line(i).TrimEnd(), line));
        await lab.AssertNothingWasNoticedAsync();
    }

    [Fact]
    public async Task A_client_that_reads_nothing_does_not_hold_up_a_pass()
    {
        await using WebLab lab = await StartAsync();
        using TextConversation client = await lab.ConnectAsync();
        await client.WriteAsync("GET /length HTTP/1.1\r\nHost: x\r\n\r\nGET /after HTTP/1.1\r\nHost: x\r\n\r\n");
        await client.ReadToAsync(Line(1000)); // then the queues fill up
        await Eventually.True(() => client.Socket.Available > 100_000);
        await lab.BackAndForthAsync(2, connections: 1);
        string body = await client.ReadToAsync(Line(Count - 1));
        Assert.Equal(string.Concat(Enumerable.Range(1001, Count - 1001).Select(Line)), body);
        await client.ReadToAsync("after host-a.");
        await lab.AssertNothingWasNoticedAsync();
    }

    [Fact]
    public async Task A_response_that_does_not_fit_there_is_reset_and_not_continued()
    {
        await using WebLab lab = await WebLab.StartAsync(certificates, (app, host) => app.MapGet("/odd", context =>
        {
            if (host == LabAgent.NameA)
                return CountAsync(context, hasLength: true);
            context.GetPassableResponse();
            context.Response.StatusCode = StatusCodes.Status418ImATeapot;
            return context.Response.WriteAsync("another response");
        }));
        using TextConversation client = await lab.ConnectAsync();
        await client.WriteAsync("GET /odd HTTP/1.1\r\nHost: x\r\n\r\n");
        await client.ReadToAsync(Line(1000));
        await lab.BackAndForthAsync(1, connections: 1);
        Exception end = await Assert.ThrowsAnyAsync<Exception>(() => client.ReadToAsync("another response"));
        Assert.Equal(SocketError.ConnectionReset, Assert.IsType<SocketException>(end).SocketErrorCode);
    }

    private Task<WebLab> StartAsync() => WebLab.StartAsync(certificates, (app, host) =>
    {
        app.MapGet("/chunked", context => CountAsync(context, hasLength: false));
        app.MapGet("/length", context => CountAsync(context, hasLength: true));
        app.MapGet("/after", () => $"after {host}.");
    });

    private static string Line(int number) => number.ToString("D15", CultureInfo.InvariantCulture) + "\n";

    private static async Task CountAsync(HttpContext context, bool hasLength)
    {
        IPassableResponse response = context.GetPassableResponse();
        int next = response.IsResumed ? BinaryPrimitives.ReadInt32BigEndian(response.State.Span) : 0;
        if (hasLength)
            context.Response.ContentLength = (Count - next) * 16L;
        while (next < Count)
        {
            await response.CheckpointAsync(() =>
            {
                byte[] state = new byte[sizeof(int)];
                BinaryPrimitives.WriteInt32BigEndian(state, next);
                return state;
            });
            int end = Math.Min(next + 1000, Count);
            await context.Response.WriteAsync(string.Concat(Enumerable.Range(next, end - next).Select(Line)));
            next = end;
        }
    }
}
