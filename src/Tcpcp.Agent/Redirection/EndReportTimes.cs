namespace Tcpcp.Agent.Redirection;

/// <summary>When an owner looks after the connections whose packets come by a home.</summary>
internal sealed record EndReportTimes
{
    /// <summary>After the end of a socket: so many ends are told at once. Default 50 ms.</summary>
    public TimeSpan AfterEnd { get; init; } = TimeSpan.FromMilliseconds(50);

    /// <summary>After a pass: until its sockets are known here. Default 500 ms.</summary>
    public TimeSpan AfterArrival { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Between two looks at what has ended and is not gone: TIME_WAIT, of which the kernel tells nothing, and passes that are not settled. Default 1 s.</summary>
    public TimeSpan Again { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Between two comparisons with all that the home forwards. Default 60 s.</summary>
    public TimeSpan All { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>First pause after a home did not answer; it doubles. Default 50 ms.</summary>
    public TimeSpan FirstPause { get; init; } = TimeSpan.FromMilliseconds(50);

    /// <summary>Longest pause after a home did not answer. Default 5 s.</summary>
    public TimeSpan LongestPause { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a home may take to answer. Default 10 s.</summary>
    public TimeSpan Answer { get; init; } = TimeSpan.FromSeconds(10);
}
