using System.Buffers.Binary;
using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Tcpcp.AspNetCore.Tests.Labs;
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
        await using WebLab lab = await WebLab.StartAsync(certificates, (app, _) =>
        {
            app.MapGet("/chunked", context => CountAsync(context, hasLength: false));
            app.MapGet("/length", context => CountAsync(context, hasLength: true));
        });
        await using ChildProcess curl = lab.StartClient("curl", "-sS", "--fail", "--limit-rate", "8M", $"{lab.Address}{path}");
        await curl.Output!.WaitForAsync("1\n", TimeSpan.FromSeconds(30));
        await lab.BackAndForthAsync(3, connections: 1);
        Assert.False(curl.Exit.IsCompleted);
        string[] lines = (await lab.OutputAsync(curl)).Split('\n');
        Assert.Equal(Count + 1, lines.Length);
        Assert.All(lines[..^1], (line, i) => Assert.Equal(Line(i).TrimEnd(), line));
        await lab.AssertNothingWasNoticedAsync();
    }

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
