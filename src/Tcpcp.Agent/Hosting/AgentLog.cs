using Microsoft.Extensions.Logging;
using Tcpcp.Agent.Hold;
using Tcpcp.Agent.Passing;
using Tcpcp.Core;
using Tcpcp.Linux.Switching;

namespace Tcpcp.Agent.Hosting;

/// <summary>What the agent says to its log. Event ids are stable.</summary>
internal static partial class AgentLog
{
    [LoggerMessage(1, LogLevel.Information, "Agent {Name} ({Version}) is ready: agents at {Listen}, programs at {LocalSocket}, journal {Journal} ({Incarnation}).")]
    public static partial void Ready(this ILogger log, string name, string version, string listen, string localSocket, string journal, Guid incarnation);

    [LoggerMessage(2, LogLevel.Information, "The agent stops.")]
    public static partial void Stopping(this ILogger log);

    [LoggerMessage(3, LogLevel.Error, "The journal was damaged and begins anew, as another incarnation: {Damage}")]
    public static partial void JournalDamaged(this ILogger log, string damage);

    [LoggerMessage(4, LogLevel.Information, "Packets are switched by {Mechanism}.{Obstacle}")]
    public static partial void PacketSwitch(this ILogger log, SwitchMechanism mechanism, string obstacle);

    [LoggerMessage(20, LogLevel.Information, "Packets are held by {Mechanism}.{Obstacle}")]
    public static partial void PacketHold(this ILogger log, HoldMechanism mechanism, string obstacle);

    [LoggerMessage(5, LogLevel.Warning, "The congestion state of connections that come is not kept: {Obstacle}")]
    public static partial void CongestionNotKept(this ILogger log, string obstacle);

    [LoggerMessage(6, LogLevel.Warning, "Neither ECN nor slow start thresholds of connections that come can be kept: {Obstacle}")]
    public static partial void StartNotKept(this ILogger log, string obstacle);

    [LoggerMessage(32, LogLevel.Information, "An earlier agent has kept congestion windows. Its program goes when it has ended the limits of {Connections} pacing rates.")]
    public static partial void CongestionKeepWaits(this ILogger log, int connections);

    [LoggerMessage(33, LogLevel.Information, "The tunnel {Device} is not configured any more. It goes when the last of {Connections} connections that may use it has ended.")]
    public static partial void TunnelStays(this ILogger log, string device, int connections);

    [LoggerMessage(34, LogLevel.Information, "The last connection of {Address} that had stayed here has ended: the address is at the other host alone.")]
    public static partial void LeftAddressEnds(this ILogger log, System.Net.IPAddress address);

    [LoggerMessage(7, LogLevel.Information, "Gateway {Name} ({Version}) is ready: agents at {Listen}, {Backends} backends, {Entries} connections that were passed ({Incarnation}).")]
    public static partial void GatewayReady(this ILogger log, string name, string version, string listen, int backends, int entries, Guid incarnation);

    [LoggerMessage(8, LogLevel.Information, "The backends are asked for their connections: {Reason}. Until all have answered, packets of connections that none has named go where they went, or are dropped if that is not known.")]
    public static partial void GatewayAsks(this ILogger log, string reason);

    [LoggerMessage(9, LogLevel.Information, "All backends have named their connections: {Entries} do not go by the table.")]
    public static partial void GatewaySettled(this ILogger log, int entries);

    [LoggerMessage(23, LogLevel.Information, "The gateway has {Backends} backends now.{Gone}")]
    public static partial void GatewayReloaded(this ILogger log, int backends, string gone);

    [LoggerMessage(24, LogLevel.Warning, "{Backend} was taken out of the backends and does not say which connections it has: they are given up. {Reason}")]
    public static partial void GatewayGivesUp(this ILogger log, string backend, string reason);

    [LoggerMessage(25, LogLevel.Information, "{Count} passes are over whose origin has not said so: their destinations say when the connections end.")]
    public static partial void GatewayPassesOver(this ILogger log, int count);

    [LoggerMessage(26, LogLevel.Warning, "{Connection}: {Orderer} has begun a pass to {Backend} and does not end it. If {Orderer} is gone for good, take it out of gateway:backends and reload.")]
    public static partial void GatewayUnsettled(this ILogger log, FourTuple connection, string orderer, string backend);

    [LoggerMessage(27, LogLevel.Warning, "Changes of the configuration that need a restart of the agent: {Keys}.")]
    public static partial void NeedsRestart(this ILogger log, string keys);

    [LoggerMessage(28, LogLevel.Information, "The configuration was read again: {Outcome}.")]
    public static partial void NothingReloaded(this ILogger log, string outcome);

    [LoggerMessage(29, LogLevel.Error, "The configuration was read again and cannot be used; nothing has changed. {Fault}")]
    public static partial void NotReloaded(this ILogger log, string fault);

    [LoggerMessage(21, LogLevel.Information, "Agent {Name} ({Version}) is ready: agents at {Listen}, {Routes} service addresses are routed ({Incarnation}).")]
    public static partial void PeerRouteReady(this ILogger log, string name, string version, string listen, int routes, Guid incarnation);

    [LoggerMessage(10, LogLevel.Debug, "{Connection}: {Side} {Action} {Detail} [pass {Pass}]")]
    public static partial void Step(this ILogger log, FourTuple connection, PassSide side, PassAction action, string detail, PassId pass);

    [LoggerMessage(11, LogLevel.Information, "{Connection}: passed to {Destination}. [pass {Pass}]")]
    public static partial void Passed(this ILogger log, FourTuple connection, string destination, PassId pass);

    [LoggerMessage(12, LogLevel.Information, "{Connection}: came from {Origin}, blackout {BlackoutMicroseconds} us, {Held} held packets replayed. [pass {Pass}]")]
    public static partial void Came(this ILogger log, FourTuple connection, string origin, long blackoutMicroseconds, int held, PassId pass);

    [LoggerMessage(13, LogLevel.Warning, "{Connection}: not passed to {Destination}, owner {Owner}: {Detail} [pass {Pass}]")]
    public static partial void NotPassed(this ILogger log, FourTuple connection, string destination, ConnectionOwner owner, string detail, PassId pass);

    [LoggerMessage(14, LogLevel.Warning, "{Connection}: refused to {Origin}: {Detail} [pass {Pass}]")]
    public static partial void Refused(this ILogger log, FourTuple connection, string origin, string detail, PassId pass);

    [LoggerMessage(15, LogLevel.Warning, "{Connection}: in doubt, {Destination} is asked: {Detail} [pass {Pass}]")]
    public static partial void InDoubt(this ILogger log, FourTuple connection, string destination, string detail, PassId pass);

    [LoggerMessage(16, LogLevel.Error, "{Connection}: {Side}: {Detail} [pass {Pass}]")]
    public static partial void Broken(this ILogger log, FourTuple connection, PassSide side, string detail, PassId pass);

    [LoggerMessage(17, LogLevel.Information, "{Connection}: an earlier agent left it at {Record}; going on. [pass {Pass}]")]
    public static partial void Recovered(this ILogger log, FourTuple connection, string record, PassId pass);

    [LoggerMessage(18, LogLevel.Debug, "{Home} does not forward {Count} connections any more, which have ended here.")]
    public static partial void EndsTold(this ILogger log, string home, int count);

    [LoggerMessage(19, LogLevel.Information, "{Detail} [pass {Pass}]")]
    public static partial void NotKept(this ILogger log, string detail, PassId pass);

    [LoggerMessage(22, LogLevel.Warning, "{Line}")]
    public static partial void HookSaid(this ILogger log, string line);

    [LoggerMessage(30, LogLevel.Information, "{Detail}")]
    public static partial void Link(this ILogger log, string detail);

    [LoggerMessage(31, LogLevel.Warning, "{Detail}")]
    public static partial void LinkTrouble(this ILogger log, string detail);

    [LoggerMessage(35, LogLevel.Information, "Program {Program} ({ProcessId}): {Kind} {Detail}")]
    public static partial void Local(this ILogger log, Local.LocalEventKind kind, string program, int processId, string detail);

    [LoggerMessage(40, LogLevel.Error, "{Detail}")]
    public static partial void Failed(this ILogger log, string detail, Exception exception);
}
