using System.Net.Sockets;

namespace Tcpcp.Agent.Passing;

/// <summary>A connection that an application wants to pass.</summary>
internal sealed record PassRequest
{
    /// <summary>The connection. After a pass that succeeded it is closed.</summary>
    public required Socket Socket { get; init; }

    /// <summary>Name under which the application at the destination is registered.</summary>
    public required string Application { get; init; }

    /// <summary>Number of the redirection that brought the connection here; 0 if it was never passed.</summary>
    public ulong Epoch { get; init; }

    /// <summary>Stops writing and reading at a boundary of the application's choice and gives its state. Called once, when the destination is ready.</summary>
    public required Func<CancellationToken, ValueTask<ReadOnlyMemory<byte>>> QuiesceAsync { get; init; }

    /// <summary>The pass did not succeed and the connection goes on here: write and read again. Called after a quiesce only.</summary>
    public required Action Resume { get; init; }
}

/// <summary>A connection that comes, with what its application said.</summary>
/// <param name="State">The application's state.</param>
/// <param name="Epoch">Number of this redirection; the next pass of the connection needs it.</param>
internal readonly record struct Arrival(Core.PassId Pass, Core.FourTuple Connection, ReadOnlyMemory<byte> State, ulong Epoch);

/// <summary>An application that takes connections.</summary>
internal interface IPassReceiver
{
    /// <summary>Name that origins offer connections for.</summary>
    string Application { get; }

    /// <summary>Looks at the state of a connection that is restored and does not live yet; it must be quick, the peer is waiting.</summary>
    /// <returns>Null to take it, else why not, in one sentence.</returns>
    string? Examine(Arrival arrival);

    /// <summary>The connection lives here: go on. The socket is the application's now.</summary>
    void Go(Arrival arrival, Socket socket);
}
