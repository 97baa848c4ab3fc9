using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Nodes;
using Tcpcp.Core;
using Tcpcp.Lab;

namespace Tcpcp.EndToEnd.Tests.Agents;

/// <summary>A lab in which one connection was passed from A to B and one pass from B to A was refused, seen by everything that looks at agents.</summary>
public sealed class ObservedLab(LabCertificates certificates) : IAsyncLifetime
{
    private const int MetricsPort = 9100;
    private const int CollectorPort = 4318;

    internal AgentLab Lab { get; private set; } = null!;

    internal OtlpCollector Collector { get; private set; } = null!;

    /// <summary>Of the pass that succeeded: 32 digits.</summary>
    internal string PassId { get; private set; } = "";

    internal FourTuple Connection { get; private set; }

    /// <summary>Samples of A and B before and after.</summary>
    internal IReadOnlyDictionary<string, double>[] Before { get; private set; } = [];

    internal IReadOnlyDictionary<string, double>[] After { get; private set; } = [];

    public async ValueTask InitializeAsync()
    {
        Lab = await AgentLab.CreateAsync(certificates);
        Host collector = Lab.AddHost("collector", "10.0.0.9/24");
        Collector = await OtlpCollector.StartAsync(collector, CollectorPort);
        foreach (LabAgent agent in (LabAgent[])[Lab.A, Lab.B])
        {
            agent.Configuration["metrics"] = new JsonObject
            {
                ["listen"] = $"{agent.Host.IPv4}:{MetricsPort}", ["otlp"] = $"http://{collector.IPv4}:{CollectorPort}",
            };
            agent.Environment["OTEL_BSP_SCHEDULE_DELAY"] = "100";
            agent.Environment["OTEL_METRIC_EXPORT_INTERVAL"] = "500";
        }

        await Task.WhenAll(Lab.A.StartAsync(), Lab.B.StartAsync());
        await Lab.StartEchoesAsync();
        EchoConversation conversation = await Lab.ConverseAsync();
        Connection = conversation.Connection;
        Before = await ScrapeAsync();
        JsonElement report = Assert.Single(await Lab.A.JsonAsync(0, "pass", $"{Connection}", "--to", LabAgent.NameB));
        Assert.Equal("Destination", report.GetProperty("owner").GetString());
        Lab.EchoA!.Objection = "It was here already.";
        await Lab.B.JsonAsync(1, "pass", $"{Connection}", "--to", LabAgent.NameA);
        await Lab.AssertNothingIsLeftAsync();
        After = await ScrapeAsync();
        PassId = Lab.A.Log.Split('\n').First(line => line.Contains(": passed to host-b.", StringComparison.Ordinal)).Split("[pass ")[1][..32];
    }

    public async ValueTask DisposeAsync()
    {
        await Lab.DisposeAsync();
        await Collector.DisposeAsync();
    }

    /// <summary>Asks an agent's HTTP server.</summary>
    internal static async Task<HttpResponseMessage> GetAsync(LabAgent agent, string path)
    {
        using SocketsHttpHandler handler = new()
        {
            ConnectCallback = async (_, cancellationToken) =>
            {
                Socket socket = agent.Host.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
                await socket.ConnectAsync(new IPEndPoint(agent.Host.IPv4, MetricsPort), cancellationToken);
                return new NetworkStream(socket, ownsSocket: true);
            },
        };
        using HttpClient client = new(handler);
        return await client.GetAsync(new Uri($"http://{agent.Host.IPv4}:{MetricsPort}{path}"));
    }

    // The text format of Prometheus: a sample a line, "name{labels} value".
    private async Task<IReadOnlyDictionary<string, double>[]> ScrapeAsync() => await Task.WhenAll(new[] { Lab.A, Lab.B }.Select(async agent =>
    {
        using HttpResponseMessage response = await GetAsync(agent, "/metrics");
        Assert.Equal("text/plain; version=0.0.4; charset=utf-8", $"{response.Content.Headers.ContentType}");
        string text = await response.Content.ReadAsStringAsync();
        return (IReadOnlyDictionary<string, double>)text.Split('\n').Where(line => line.Length > 0 && line[0] != '#')
            .Select(line => (Name: line[..line.LastIndexOf(' ')], Value: line[(line.LastIndexOf(' ') + 1)..]))
            .ToDictionary(sample => sample.Name, sample => double.Parse(sample.Value, CultureInfo.InvariantCulture), StringComparer.Ordinal);
    }));
}
