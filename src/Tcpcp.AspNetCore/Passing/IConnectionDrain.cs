namespace Tcpcp.AspNetCore;

/// <summary>Passes the connections of this server on demand. A service.</summary>
public interface IConnectionDrain
{
    /// <summary>Passes all connections that can be passed, those that open meanwhile too, and asks the others to end as soon as their protocol lets them (<c>Connection: close</c>,
    /// GOAWAY).</summary>
    /// <param name="destination">Name of an agent; null: those of <see cref="TcpcpOptions.Destinations"/> in turn, and where there are none all that the agent here knows.</param>
    /// <param name="cancellationToken">Begins no new pass; those under way end.</param>
    /// <exception cref="InvalidOperationException">The agent of this host is not there, or knows no destination.</exception>
    Task<DrainReport> DrainAsync(string? destination = null, CancellationToken cancellationToken = default);
}

/// <summary>What became of the connections of a drain.</summary>
/// <param name="Passed">Connections that live at another host now.</param>
/// <param name="Finished">Connections that cannot be passed, and were asked to end.</param>
/// <param name="Stayed">Connections that could not be passed in time, or were refused.</param>
/// <param name="Reasons">Why some stay: each reason, and how many.</param>
/// <param name="Duration">Of the drain.</param>
public sealed record DrainReport(int Passed, int Finished, int Stayed, IReadOnlyDictionary<string, int> Reasons, TimeSpan Duration);
