using System.Globalization;

namespace Tcpcp.Samples.WebChat;

/// <summary>Says the time, so that something happens.</summary>
internal sealed class Clock(ChatRoom room) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using PeriodicTimer timer = new(TimeSpan.FromMilliseconds(50));
        while (await timer.WaitForNextTickAsync(stoppingToken))
            await room.SayAsync(DateTimeOffset.UtcNow.ToString("HH:mm:ss.ff", CultureInfo.InvariantCulture));
    }
}
