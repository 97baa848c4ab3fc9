using Tcpcp.Core;

namespace Tcpcp.Agent.Local;

/// <summary>Connections that an application is to pass, because an operator wants it.</summary>
internal sealed record WantedPasses
{
    /// <summary>Which; empty: all of the application's.</summary>
    public IReadOnlyList<FourTuple> Connections { get; init; } = [];

    /// <summary>Where they go, for the application's information; empty: to several hosts.</summary>
    public string Destination { get; init; } = "";

    /// <summary>Waits until one more pass, of so many connections, may begin, and gives the name of its destination. Called once a pass; the outcome of a pass for which
    /// it was called always follows.</summary>
    public required Func<int, CancellationToken, ValueTask<string>> AdmitAsync { get; init; }
}

/// <summary>What became of one pass that was wanted.</summary>
/// <param name="Connections">Its connections, but for those that had ended when it began.</param>
/// <param name="Count">How many connections it was admitted with.</param>
/// <param name="Total">Connections that the application will pass, as far as it has said.</param>
/// <param name="IsInseparable">The application does not pass them one by one.</param>
internal readonly record struct WantedOutcome(IReadOnlyList<FourTuple> Connections, int Count, string Destination, PassResult Result, int Total, bool IsInseparable);
