using System.Collections.Concurrent;
using System.Net;
using Google.Protobuf;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging;
using Tcpcp.Lab;

namespace Tcpcp.EndToEnd.Tests.Agents;

/// <summary>A span as the agents export it.</summary>
internal sealed record ExportedSpan(string Agent, string Trace, string Id, string Parent, string Name, ulong BeginNs, ulong EndNs, IReadOnlyDictionary<string, string> Attributes);

/// <summary>An OpenTelemetry collector on a host of the lab (OTLP over HTTP, opentelemetry/proto/collector/trace/v1).</summary>
internal sealed class OtlpCollector : IAsyncDisposable
{
    private readonly WebApplication _server;
    private readonly ConcurrentBag<ExportedSpan> _spans = [];
    private int _metrics;

    private OtlpCollector(WebApplication server) => _server = server;

    public IReadOnlyCollection<ExportedSpan> Spans => _spans;

    /// <summary>Exports of metrics that have come.</summary>
    public int Metrics => Volatile.Read(ref _metrics);

    public static async Task<OtlpCollector> StartAsync(Host host, int port)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseSockets(options => options.CreateBoundListenSocket = end => host.Run(() => SocketTransportOptions.CreateDefaultBoundListenSocket(end)));
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(new IPEndPoint(host.IPv4, port)));
        OtlpCollector collector = new(builder.Build());
        collector._server.Run(collector.TakeAsync);
        await collector._server.StartAsync();
        return collector;
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    private async Task TakeAsync(HttpContext context)
    {
        using MemoryStream body = new();
        await context.Request.Body.CopyToAsync(body);
        context.Response.ContentType = "application/x-protobuf";
        if (context.Request.Path == "/v1/metrics")
            Interlocked.Increment(ref _metrics);
        if (context.Request.Path != "/v1/traces")
            return;
        foreach (WireField resource in WireField.Read(body.ToArray()).Where(field => field.Number == 1))
            TakeResource(WireField.Read(resource.Bytes));
    }

    private void TakeResource(List<WireField> spans)
    {
        string agent = Attributes(WireField.Read(spans.First(field => field.Number == 1).Bytes), 1)["service.instance.id"];
        foreach (WireField scope in spans.Where(field => field.Number == 2))
        {
            foreach (WireField span in WireField.Read(scope.Bytes).Where(field => field.Number == 2))
                _spans.Add(SpanOf(agent, WireField.Read(span.Bytes)));
        }
    }

    private static ExportedSpan SpanOf(string agent, List<WireField> span)
    {
        return new ExportedSpan(agent, Hex(1), Hex(2), Hex(4), Text(5), span.First(field => field.Number == 7).Value, span.First(field => field.Number == 8).Value, Attributes(span, 9));

        string Hex(int number) => Convert.ToHexStringLower(span.FirstOrDefault(field => field.Number == number)?.Bytes ?? []);
        string Text(int number) => System.Text.Encoding.UTF8.GetString(span.First(field => field.Number == number).Bytes);
    }

    // KeyValue { string key = 1; AnyValue value = 2; }, AnyValue { string string_value = 1; }
    private static Dictionary<string, string> Attributes(List<WireField> message, int number) => message.Where(field => field.Number == number)
        .Select(field => WireField.Read(field.Bytes)).ToDictionary(
            pair => System.Text.Encoding.UTF8.GetString(pair[0].Bytes), pair => System.Text.Encoding.UTF8.GetString(WireField.Read(pair[1].Bytes)[0].Bytes), StringComparer.Ordinal);
}

/// <summary>A field of a protobuf message whose description is not at hand.</summary>
/// <param name="Value">Of a number.</param>
/// <param name="Bytes">Of text, bytes or a message.</param>
internal sealed record WireField(int Number, ulong Value, byte[] Bytes)
{
    public static List<WireField> Read(byte[] message)
    {
        List<WireField> fields = [];
        CodedInputStream input = new(message);
        while (input.ReadTag() is not 0 and { } tag)
        {
            (ulong value, byte[] bytes) = WireFormat.GetTagWireType(tag) switch
            {
                WireFormat.WireType.Varint => (input.ReadUInt64(), []),
                WireFormat.WireType.Fixed64 => (input.ReadFixed64(), []),
                WireFormat.WireType.Fixed32 => (input.ReadFixed32(), []),
                _ => (0ul, input.ReadBytes().ToByteArray()),
            };
            fields.Add(new WireField(WireFormat.GetTagFieldNumber(tag), value, bytes));
        }

        return fields;
    }
}
