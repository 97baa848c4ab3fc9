using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Tcpcp.Agent.Hosting;

/// <summary>Where others look at the agent: /metrics and /healthz over plain HTTP, and an OpenTelemetry collector, each if it is configured.</summary>
internal sealed class MetricsExport : IDisposable
{
    private readonly AgentConfiguration _configuration;
    private readonly PrometheusMetrics? _prometheus;
    private readonly TracerProvider? _traces;
    private readonly MeterProvider? _metrics;
    private Func<string?> _fault = () => "The agent is starting.";

    public MetricsExport(AgentConfiguration configuration)
    {
        _configuration = configuration;
        if (configuration.MetricsListen is not null)
            _prometheus = new PrometheusMetrics();

        if (configuration.OtlpCollector is not { } collector)
            return;
        ResourceBuilder resource = ResourceBuilder.CreateEmpty().AddService("tcpcp-agent", serviceVersion: AgentVersion.Current, serviceInstanceId: configuration.Name);
        _traces = Sdk.CreateTracerProviderBuilder().SetResourceBuilder(resource).AddSource(PassTelemetry.Source)
            .AddOtlpExporter(options => (options.Endpoint, options.Protocol) = (new Uri(collector, "/v1/traces"), OtlpExportProtocol.HttpProtobuf)).Build();
        _metrics = Sdk.CreateMeterProviderBuilder().SetResourceBuilder(resource).AddMeter(PassTelemetry.Source)
            .AddView("tcpcp_blackout_seconds", new ExplicitBucketHistogramConfiguration { Boundaries = PassTelemetry.BlackoutBuckets })
            .AddOtlpExporter(options => (options.Endpoint, options.Protocol) = (new Uri(collector, "/v1/metrics"), OtlpExportProtocol.HttpProtobuf)).Build();
    }

    /// <param name="fault">What /healthz says is wrong; null from it: nothing.</param>
    public void Ready(Func<string?> fault) => _fault = fault;

    public void Listen(KestrelServerOptions kestrel)
    {
        if (_configuration.MetricsListen is { } endPoint)
            kestrel.Listen(endPoint, listener => listener.Protocols = HttpProtocols.Http1);
    }

    public void Map(WebApplication application)
    {
        if (_configuration.MetricsListen is not { } endPoint)
            return;
        application.Use(async (context, next) =>
        {
            string path = context.Connection.LocalPort == endPoint.Port ? context.Request.Path.ToString() : "";
            await (path switch
            {
                "/metrics" => WriteMetricsAsync(context),
                "/healthz" => WriteHealthAsync(context),
                _ => next(context),
            });
        });
    }

    public void Dispose()
    {
        _prometheus?.Dispose();
        _traces?.Dispose();
        _metrics?.Dispose();
    }

    private Task WriteMetricsAsync(HttpContext context)
    {
        context.Response.ContentType = "text/plain; version=0.0.4; charset=utf-8";
        return _prometheus!.WriteAsync(context.Response.Body, context.RequestAborted);
    }

    private Task WriteHealthAsync(HttpContext context)
    {
        string? fault = _fault();
        context.Response.StatusCode = fault is null ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable;
        return context.Response.WriteAsync((fault ?? "ok") + "\n");
    }
}
