using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.SignalR;

namespace Tcpcp.Samples.WebHub;

/// <summary>Counts from where the client says that it stands: the hub keeps nothing of a client, so every host can go on.</summary>
internal sealed class NumbersHub(IConfiguration configuration) : Hub
{
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(20);

    /// <summary>Without end.</summary>
    public async IAsyncEnumerable<CountedNumber> Count(long next, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        string host = configuration["Host"] ?? Environment.MachineName;
        using PeriodicTimer timer = new(s_interval);
        for (; await timer.WaitForNextTickAsync(cancellationToken); next++)
            yield return new CountedNumber(host, next);
    }
}

/// <summary>A number, and who has counted it.</summary>
internal sealed record CountedNumber(string Host, long Number);
