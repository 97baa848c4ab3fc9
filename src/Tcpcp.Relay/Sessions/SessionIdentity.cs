using System.Net;
using Tcpcp.Relay.Listening;
using Tcpcp.Relay.Servers;

namespace Tcpcp.Relay.Sessions;

/// <summary>Whose session it is, and where it goes. It stays the same on every host.</summary>
/// <param name="Id">Made by the host that accepted it; the log names the session by it.</param>
/// <param name="Client">As the client's own connection, or a PROXY header before it, names it.</param>
/// <param name="ClientPlace">What the session takes of its listener's room.</param>
/// <param name="ServerPlace">What it takes of its server's.</param>
/// <param name="Accepted">When the client's connection was accepted.</param>
/// <param name="Opening">From then to the server's answer.</param>
internal sealed record SessionIdentity(
    Guid Id, IPEndPoint Client, ListenerPlace ClientPlace, ServerPlace ServerPlace, DateTimeOffset Accepted, TimeSpan Opening)
{
    /// <summary>Hosts that it was passed to so far.</summary>
    public int Passes { get; init; }

    /// <summary>Number of the redirection that brought it here; 0: it was accepted here.</summary>
    public ulong Epoch { get; init; }
}
