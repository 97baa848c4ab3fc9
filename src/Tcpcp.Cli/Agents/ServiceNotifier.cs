using System.Globalization;
using Microsoft.Extensions.Hosting.Systemd;

namespace Tcpcp.Cli.Agents;

/// <summary>Tells systemd that the agent is ready, lives (WATCHDOG_USEC) and stops: sd_notify(3). Without systemd it does nothing.</summary>
internal sealed class ServiceNotifier : IDisposable
{
    private readonly Microsoft.Extensions.Hosting.Systemd.SystemdNotifier _channel = new();
    private readonly Timer? _watchdog;

    private ServiceNotifier()
    {
        Notify(ServiceState.Ready);
        if (_channel.IsEnabled && long.TryParse(Environment.GetEnvironmentVariable("WATCHDOG_USEC"), NumberStyles.None, CultureInfo.InvariantCulture, out long microseconds) && microseconds > 0)
        {
            TimeSpan half = TimeSpan.FromMicroseconds(microseconds / 2.0);
            _watchdog = new Timer(_ => Notify(new ServiceState("WATCHDOG=1")), null, half, half);
        }
    }

    /// <summary>The agent is ready.</summary>
    public static ServiceNotifier Start() => new();

    public void Stopping() => Notify(ServiceState.Stopping);

    public void Dispose() => _watchdog?.Dispose();

    private void Notify(ServiceState state)
    {
        try
        {
            _channel.Notify(state);
        }
        catch (System.Net.Sockets.SocketException)
        {
            // Who supervised the agent has gone; connections must not end with it.
        }
    }
}
