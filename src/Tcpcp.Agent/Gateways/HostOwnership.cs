using Tcpcp.Agent.Link;
using Tcpcp.Agent.Passing;
using Tcpcp.Agent.Redirection;
using Tcpcp.Core;
using Tcpcp.Core.Passing;
using Tcpcp.Linux.Diagnostics;

namespace Tcpcp.Agent.Gateways;

/// <summary>What a host says to a redirector that has lost what it knew: which connections it owns, and by which redirections.</summary>
internal sealed class HostOwnership(HostServices host, DestinationSide destination, KnownHomes homes, IReadOnlyCollection<string> redirectors) : IOwnershipService
{
    private const ulong NotHere = ulong.MaxValue;

    public IReadOnlyList<OwnedConnection> List(string caller, IReadOnlyCollection<ServicePorts> services)
    {
        if (!redirectors.Any(name => CertificateNames.AreSame(name, caller)))
            throw new UnauthorizedAccessException($"'{caller}' is no redirector of this host: add it to redirectors.");
        // First the passes: one that is settled by the time of the sockets has made or closed its own.
        (FourTuple Connection, ulong Number)[] open = [.. host.OriginPasses.All.Where(pass => pass.State is not (OriginState.Settled or OriginState.Done)).SelectMany(pass => pass.Connections.Select(connection => (connection, NumberOf(pass.State, connection))))];
        FourTuple[] recovering = [.. host.OriginPasses.Recovering];
        (FourTuple Connection, ulong? Number)[] coming = [.. destination.List().SelectMany(pass => pass.Names.Select(name => (name, pass.IsOwner ? pass.Terms.DivertNumber : (ulong?)null)))];
        Dictionary<FourTuple, ulong> owned = [];
        foreach (FourTuple connection in host.Sockets.List().Select(socket => socket.Connection).Concat(recovering))
            owned[connection] = homes.NumberOf(connection);
        foreach ((FourTuple connection, ulong number) in open)
        {
            if (number == NotHere)
                owned.Remove(connection);
            else
                owned[connection] = Math.Max(number, owned.GetValueOrDefault(connection));
        }

        foreach ((FourTuple connection, ulong? number) in coming)
        {
            if (number is { } known)
                owned[connection] = known;
            else
                owned.Remove(connection); // the origin has it, and says so
        }

        return [.. owned.Where(one => services.Any(service => service.Contains(one.Key.Local))).Select(one => new OwnedConnection(one.Key, one.Value))];
    }

    // Below the divert's until it is known that the destination owns it: what the destination says then, counts.
    private ulong NumberOf(OriginState state, FourTuple connection) => state switch
    {
        OriginState.Diverting diverting => diverting.Terms.DivertNumber - 1,
        OriginState.Freezing freezing => freezing.Terms.DivertNumber - 1,
        OriginState.Sending sending => sending.Terms.DivertNumber - 1,
        OriginState.InDoubt doubt => doubt.Terms.DivertNumber - 1,
        OriginState.Undoing undoing => undoing.Terms.UndoNumber,
        OriginState.Thawed thawed => thawed.Terms.UndoNumber,
        OriginState.Releasing or OriginState.Abandoning => NotHere,
        _ => homes.NumberOf(connection),
    };
}
