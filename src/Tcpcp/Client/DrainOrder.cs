using System.Net;
using Tcpcp.Core;

namespace Tcpcp.Client;

/// <summary>Connections that an operator wants to leave this host. With no application, connection or process named: all of every application.</summary>
public sealed record DrainOrder
{
    /// <summary>Names of the agents that get them, in turn.</summary>
    public required IReadOnlyList<string> Destinations { get; init; }

    /// <summary>All connections of these applications.</summary>
    public IReadOnlyList<string> Applications { get; init; } = [];

    /// <summary>These connections, of registered applications or of processes that know nothing of tcpcp.</summary>
    public IReadOnlyList<FourTuple> Connections { get; init; } = [];

    /// <summary>One socket of this process, named by <see cref="Descriptor"/>. Default 0: none.</summary>
    public int ProcessId { get; init; }

    /// <summary>The number that the process has for its socket.</summary>
    public int Descriptor { get; init; }

    /// <summary>For a process that knows nothing of tcpcp: the application that takes the connection at the destination.</summary>
    public string AsApplication { get; init; } = "";

    /// <summary>Passes begun a second at most. Default 0: no limit.</summary>
    public int Rate { get; init; }

    /// <summary>With one destination, where packets are forwarded: when all connections of a service address are there, the address moves there too. Default false.</summary>
    public bool TakeAddresses { get; init; }

    /// <summary>
    /// With <see cref="TakeAddresses"/>: service addresses of this host that move before their connections do, so that new connections open at the destination from the beginning. The
    /// destination sends the packets of those that are here still back to this host until they are passed. Default: none.
    /// </summary>
    public IReadOnlyList<IPAddress> AddressesFirst { get; init; } = [];

    /// <summary>Nothing but <see cref="AddressesFirst"/> moves. Default false.</summary>
    public bool AddressesAlone { get; init; }
}

/// <summary>What became of one connection of a drain, or of a service address.</summary>
/// <param name="Connection">The connection; null when nothing was there to pass, as the result's detail says, or where it is an address.</param>
/// <param name="Application">Whose it was.</param>
/// <param name="Destination">The agent that it was offered to.</param>
/// <param name="Result">How its pass ended.</param>
/// <param name="Blackout">Time from the divert to the activation; null if it is not known.</param>
/// <param name="Done">Connections whose outcome is known.</param>
/// <param name="Total">Connections to pass, as far as they are known.</param>
public sealed record DrainProgress(
    FourTuple? Connection, string Application, string Destination, PassResult Result, TimeSpan? Blackout, int Done, int Total)
{
    /// <summary>The service address that has moved to the destination, or not, as the result says; null where it is a connection.</summary>
    public IPAddress? Address { get; init; }
}
