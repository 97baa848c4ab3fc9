using System.Globalization;
using Microsoft.Extensions.Hosting.Systemd;

namespace Tcpcp.Cli.Agents;

/// <summary>Tells systemd that a service is ready, lives (WATCHDOG_USEC) and stops: sd_notify(3). Without systemd it does nothing.</summary>
internal sealed class ServiceNotifier : IDisposable
{
    private readonly Microsoft.Extensions.Hosting.Systemd.SystemdNotifier _channel = new();
    private readonly Timer? _watchdog;

    private ServiceNotifier(bool isNewMainProcess)
    {
        if (isNewMainProcess)
            Notify(new ServiceState(string.Create(CultureInfo.InvariantCulture, $"MAINPID={Environment.ProcessId}")));
        Notify(ServiceState.Ready);
        if (_channel.IsEnabled && long.TryParse(Environment.GetEnvironmentVariable("WATCHDOG_USEC"), NumberStyles.None, CultureInfo.InvariantCulture, out long microseconds) && microseconds > 0)
        {
            TimeSpan half = TimeSpan.FromMicroseconds(microseconds / 2.0);
            _watchdog = new Timer(_ => Notify(new ServiceState("WATCHDOG=1")), null, half, half);
        }
    }

    /// <summary>The service is ready.</summary>
    /// <param name="isNewMainProcess">This process has taken the place of another one.</param>
    public static ServiceNotifier Start(bool isNewMainProcess = false) => new(isNewMainProcess);

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
