using Tcpcp.Core.Wire;

namespace Tcpcp.AspNetCore.Passing;

/// <summary>A request under way that can be passed before its response is over.</summary>
internal interface IPassableExchange
{
    /// <summary>Stops it where it can go on at another host.</summary>
    /// <returns>Null: it has ended before it got there.</returns>
    Task<ServerExchange?> QuiesceAsync(CancellationToken cancellationToken);

    /// <summary>It goes on here; also when it has not stopped.</summary>
    void Resume();

    /// <summary>It goes on at another host.</summary>
    void Detach();
}
