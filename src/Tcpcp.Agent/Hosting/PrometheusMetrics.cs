using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Prometheus;

namespace Tcpcp.Agent.Hosting;

/// <summary>The agent's instruments as Prometheus metrics. (The library's own adapter for instruments needs code that is made at run time.)</summary>
internal sealed class PrometheusMetrics : IDisposable
{
    private readonly CollectorRegistry _registry = Metrics.NewCustomRegistry();
    private readonly MetricFactory _factory;
    private readonly MeterListener _listener = new();
    private readonly ConcurrentDictionary<string, Collector> _collectors = new(StringComparer.Ordinal);

    public PrometheusMetrics()
    {
        _factory = Metrics.WithCustomRegistry(_registry);
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == PassTelemetry.Source)
                listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Note(instrument, value, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Note(instrument, value, tags));
        _listener.Start();
    }

    public Task WriteAsync(Stream stream, CancellationToken cancellationToken)
    {
        _listener.RecordObservableInstruments();
        return _registry.CollectAndExportAsTextAsync(stream, cancellationToken);
    }

    public void Dispose() => _listener.Dispose();

    private void Note(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        string[] names = new string[tags.Length];
        string[] values = new string[tags.Length];
        for (int i = 0; i < tags.Length; i++)
            (names[i], values[i]) = (tags[i].Key, tags[i].Value?.ToString() ?? "");
        switch (_collectors.GetOrAdd(instrument.Name, _ => Create(instrument, names)))
        {
            case Counter counter:
                counter.WithLabels(values).Inc(value);
                break;
            case Histogram histogram:
                histogram.WithLabels(values).Observe(value);
                break;
            case Gauge gauge:
                gauge.WithLabels(values).Set(value);
                break;
            default:
                break;
        }
    }

    private Collector Create(Instrument instrument, string[] labels)
    {
        string help = instrument.Description ?? instrument.Name;
        return instrument switch
        {
            Counter<long> => _factory.CreateCounter(instrument.Name + "_total", help, labels),
            Histogram<double> => _factory.CreateHistogram(
                instrument.Name, help, labels, new HistogramConfiguration { Buckets = PassTelemetry.BlackoutBuckets }),
            _ => _factory.CreateGauge(instrument.Name, help, labels),
        };
    }
}
