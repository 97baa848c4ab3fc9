using System.Globalization;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Client;

namespace Tcpcp.Samples.WebHub;

/// <summary>Prints the numbers that a hub counts, until it is killed; at whatever host the hub is.</summary>
internal sealed class Watcher : IRetryPolicy
{
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(100);

    public static async Task RunAsync(Uri hub)
    {
        await using HubConnection connection = new HubConnectionBuilder().WithUrl(hub).WithAutomaticReconnect(new Watcher()).WithStatefulReconnect().Build();
        await connection.StartAsync();
        for (long next = 1; ;)
        {
            try
            {
                await foreach (CountedNumber counted in connection.StreamAsync<CountedNumber>(nameof(NumbersHub.Count), next))
                {
                    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{counted.Host} {counted.Number}"));
                    next = counted.Number + 1;
                }
            }
            catch (Exception e) when (e is HubException or OperationCanceledException or InvalidOperationException or IOException)
            {
                await Task.Delay(s_pause); // it reconnects meanwhile, perhaps to another host, and the count goes on from there
            }
        }
    }

    public TimeSpan? NextRetryDelay(RetryContext retryContext) => s_pause;
}
