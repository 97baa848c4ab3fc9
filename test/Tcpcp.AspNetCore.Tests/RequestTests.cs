using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Tcpcp.AspNetCore.Tests.Labs;
using Tcpcp.EndToEnd.Tests.Agents;

namespace Tcpcp.AspNetCore.Tests;

/// <summary>HTTP/1.1 connections that are passed between two requests.</summary>
public sealed class RequestTests(LabCertificates certificates)
{
    [Fact]
    public async Task A_half_received_head_goes_on_at_the_other_host()
    {
        await using WebLab lab = await StartAsync();
        using TextConversation client = await lab.ConnectAsync();
        await client.WriteAsync("GET /host HTTP/1.1\r\nHost: x\r\n\r\n");
        await client.ReadToAsync("host-a 0 .");
        await client.WriteAsync("GET /host HTTP/1.1\r\nHost: x\r\nHalf-a-fie");
        await lab.DrainAsync(lab.Agents.A);
        await client.WriteAsync("ld: value\r\n");
        await lab.DrainAsync(lab.Agents.B);
        await client.WriteAsync("\r\n");
        await client.ReadToAsync("host-a 2 host-b.");
        await lab.AssertNothingWasNoticedAsync();
    }

    [Fact]
    public async Task Pipelined_requests_are_served_once_each_in_their_order()
    {
        const int Count = 400;
        await using WebLab lab = await StartAsync();
        using TextConversation client = await lab.ConnectAsync();
        await client.WriteAsync(string.Concat(Enumerable.Range(0, Count).Select(i => $"GET /slow?{i} HTTP/1.1\r\nHost: x\r\n\r\n")));
        await client.ReadToAsync("slow ?0.");
        Task passing = lab.BackAndForthAsync(4, connections: 1);
        for (int i = 1; i < Count; i++)
        {
            string response = await client.ReadToAsync(".");
            while (!response.Contains("slow ?", StringComparison.Ordinal))
                response = await client.ReadToAsync("."); // the dot of HTTP/1.1
            Assert.EndsWith($"slow ?{i}.", response, StringComparison.Ordinal);
        }

        await passing;
        await lab.AssertNothingWasNoticedAsync();
    }

    private Task<WebLab> StartAsync() => WebLab.StartAsync(certificates, (app, host) =>
    {
        app.MapGet("/host", (HttpContext context) =>
        {
            IPassedConnectionFeature passed = context.Features.GetRequiredFeature<IPassedConnectionFeature>();
            return $"{host} {passed.Passes} {passed.Origin}.";
        });
        app.MapGet("/slow", async (HttpContext context) =>
        {
            await Task.Delay(5);
            return $"slow {context.Request.QueryString}.";
        });
    });
}
