using System.Diagnostics.Metrics;

namespace Tcpcp.AspNetCore.Hosting;

/// <summary>The figures of the meter <c>Tcpcp.AspNetCore</c>.</summary>
internal sealed class TcpcpMetrics
{
    public const string MeterName = "Tcpcp.AspNetCore";

    private readonly Counter<long> _passed;
    private readonly Counter<long> _came;
    private readonly Counter<long> _stayed;
    private readonly Counter<long> _finished;
    private readonly Histogram<double> _blackout;

    public TcpcpMetrics(IMeterFactory meters)
    {
        Meter meter = meters.Create(MeterName);
        _passed = meter.CreateCounter<long>("tcpcp.aspnetcore.connections.passed", "{connection}", "Connections that went to another host.");
        _came = meter.CreateCounter<long>("tcpcp.aspnetcore.connections.came", "{connection}", "Connections that came from another host.");
        _stayed = meter.CreateCounter<long>("tcpcp.aspnetcore.connections.stayed", "{connection}", "Passes that did not succeed; the connection went on here.");
        _finished = meter.CreateCounter<long>("tcpcp.aspnetcore.connections.finished", "{connection}", "Connections that cannot be passed and were asked to end instead.");
        _blackout = meter.CreateHistogram<double>("tcpcp.aspnetcore.pass.blackout", "s", "From the divert to the activation at the other host.");
    }

    public void Passed(TimeSpan? blackout)
    {
        _passed.Add(1);
        if (blackout is { } time)
            _blackout.Record(time.TotalSeconds);
    }

    public void Came() => _came.Add(1);

    public void Stayed(string reason) => _stayed.Add(1, new KeyValuePair<string, object?>("reason", reason));

    public void Finished() => _finished.Add(1);
}
