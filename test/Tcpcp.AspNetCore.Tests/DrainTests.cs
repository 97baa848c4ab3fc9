using System.Net;
using System.Net.Http.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Tcpcp.AspNetCore.Tests.Labs;
using Tcpcp.EndToEnd.Tests;
using Tcpcp.EndToEnd.Tests.Agents;

namespace Tcpcp.AspNetCore.Tests;

/// <summary>All connections of an application leave.</summary>
public sealed class DrainTests(LabCertificates certificates)
{
    [Fact]
    public async Task An_application_that_stops_passes_its_connections_first()
    {
        await using WebLab lab = await StartAsync(options => options.Destinations.Add(LabAgent.NameB));
        using TextConversation idle = await lab.ConnectAsync();
        await idle.WriteAsync("GET /host HTTP/1.1\r\nHost: x\r\n\r\n");
        await idle.ReadToAsync("host-a.");
        using TextConversation busy = await lab.ConnectAsync();
        await busy.WriteAsync("GET /long HTTP/1.1\r\nHost: x\r\n\r\n");
        await WebLab.UntilConnectedAsync(lab.Agents.A, 2);
        await lab.A.Application.StopAsync();
        await busy.ReadToAsync("long host-a.");
        foreach (TextConversation client in (TextConversation[])[idle, busy])
        {
            await client.WriteAsync("GET /host HTTP/1.1\r\nHost: x\r\n\r\n");
            await client.ReadToAsync("host-b.");
        }

        await lab.AssertNothingWasNoticedAsync();
    }

    [Fact]
    public async Task An_application_stops_without_its_agent_too()
    {
        await using WebLab lab = await StartAsync(options => options.Destinations.Add(LabAgent.NameB));
        using TextConversation client = await lab.ConnectAsync();
        await client.WriteAsync("GET /host HTTP/1.1\r\nHost: x\r\n\r\n");
        await client.ReadToAsync("host-a.");
        await lab.Agents.A.StopAsync();
        await lab.A.Application.StopAsync().WaitAsync(TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task A_request_drains_all_connections_but_its_own()
    {
        await using WebLab lab = await StartAsync();
        using TextConversation client = await lab.ConnectAsync();
        await client.WriteAsync("GET /host HTTP/1.1\r\nHost: x\r\n\r\n");
        await client.ReadToAsync("host-a.");
        using HttpClient operators = new(lab.CreateHandler());
        using HttpResponseMessage answer = await operators.PostAsync(new Uri(lab.Address, "/tcpcp/drain?to=host-b"), content: null);
        DrainReport report = (await answer.Content.ReadFromJsonAsync<DrainReport>())!;
        Assert.Equal((1, 0, 0), (report.Passed, report.Finished, report.Stayed));
        await client.WriteAsync("GET /host HTTP/1.1\r\nHost: x\r\n\r\n");
        await client.ReadToAsync("host-b.");
    }

    [Theory]
    [InlineData("https", WebApplicationHost.TlsPort, 1, "encrypted")]
    [InlineData("https", WebApplicationHost.TlsPort, 2, "encrypted")]
    [InlineData("http", WebApplicationHost.Http2Port, 2, "HTTP/2")]
    public async Task What_cannot_be_passed_says_why_and_is_finished(string scheme, int port, int version, string obstacle)
    {
        await using WebLab lab = await StartAsync();
        using HttpClient client = new(lab.CreateHandler()) { DefaultRequestVersion = new Version(version, 0), DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact };
        if (version == 1)
            client.DefaultRequestVersion = HttpVersion.Version11;
        Uri address = new UriBuilder(lab.Address) { Scheme = scheme, Port = port, Path = "obstacle" }.Uri;
        Assert.Contains(obstacle, await client.GetStringAsync(address), StringComparison.Ordinal);
        DrainReport report = await lab.A.Drain.DrainAsync(LabAgent.NameB);
        Assert.Equal((0, 1, 0), (report.Passed, report.Finished, report.Stayed));
        await WebLab.UntilConnectedAsync(lab.Agents.A, 0, port);
        Assert.Contains(obstacle, await client.GetStringAsync(address), StringComparison.Ordinal); // over a new connection
        await lab.Agents.AssertNothingIsLeftAsync();
    }

    [Fact]
    public async Task A_client_whose_request_takes_too_long_stays_and_is_served()
    {
        await using WebLab lab = await StartAsync();
        using TextConversation client = await lab.ConnectAsync();
        await client.WriteAsync("GET /long HTTP/1.1\r\nHost: x\r\n\r\nGET /host HTTP/1.1\r\nHost: x\r\n\r\n");
        await WebLab.UntilConnectedAsync(lab.Agents.A, 1);
        await lab.DrainAsync(lab.Agents.A, exitCode: 1);
        await client.ReadToAsync("long host-a.");
        await client.ReadToAsync("host-a.");
        await lab.DrainAsync(lab.Agents.A);
        await client.WriteAsync("GET /host HTTP/1.1\r\nHost: x\r\n\r\n");
        await client.ReadToAsync("host-b.");
        await lab.AssertNothingWasNoticedAsync();
    }

    [Theory]
    [InlineData("Content-Length: 10\r\n\r\n0123456789")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n")]
    public async Task Requests_with_a_body_end_at_a_boundary_too(string body)
    {
        await using WebLab lab = await StartAsync();
        using TextConversation client = await lab.ConnectAsync();
        foreach (string path in (string[])["read", "ignore", "read"])
        {
            await client.WriteAsync($"POST /{path} HTTP/1.1\r\nHost: x\r\n{body}GET /host HTTP/1.1\r\nHost: x\r\n\r\n");
            await client.ReadToAsync("done.");
            await client.ReadToAsync("host-a.");
        }

        await client.WriteAsync($"POST /read HTTP/1.1\r\nHost: x\r\n{body}");
        await client.ReadToAsync("done.");
        await lab.DrainAsync(lab.Agents.A);
        await client.WriteAsync("GET /host HTTP/1.1\r\nHost: x\r\n\r\n");
        await client.ReadToAsync("host-b.");
        await lab.AssertNothingWasNoticedAsync();
    }

    [Fact]
    public async Task The_health_check_follows_the_agent()
    {
        await using WebLab lab = await WebLab.StartAsync(certificates, (_, _) => { });
        using ServiceProvider checks = new ServiceCollection().AddLogging().AddSingleton(lab.A.Application.Services.GetRequiredService<Hosting.AgentLink>()).AddHealthChecks().AddTcpcp()
            .Services.BuildServiceProvider();
        HealthCheckService health = checks.GetRequiredService<HealthCheckService>();
        Assert.Equal(HealthStatus.Healthy, (await health.CheckHealthAsync()).Status);
        await lab.Agents.A.StopAsync();
        await Eventually.True(async () => (await health.CheckHealthAsync()).Status == HealthStatus.Degraded);
    }

    private Task<WebLab> StartAsync(Action<TcpcpOptions>? configureA = null) => WebLab.StartAsync(certificates, (app, host) =>
    {
        app.MapGet("/host", () => $"{host}.");
        app.MapGet("/long", async () =>
        {
            await Task.Delay(TimeSpan.FromSeconds(3));
            return $"long {host}.";
        });
        app.MapGet("/obstacle", (HttpContext context) => context.Features.GetRequiredFeature<IPassedConnectionFeature>().Obstacle);
        app.MapPost("/read", async (HttpContext context) =>
        {
            await context.Request.Body.CopyToAsync(Stream.Null);
            return "done.";
        });
        app.MapPost("/ignore", () => "done.");
        app.MapTcpcpDrain();
    }, configureA: configureA);
}
