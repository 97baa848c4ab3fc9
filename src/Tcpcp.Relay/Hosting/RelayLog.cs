using System.Net;
using Microsoft.Extensions.Logging;

namespace Tcpcp.Relay.Hosting;

/// <summary>What the relay says to its log. Event ids are stable.</summary>
internal static partial class RelayLog
{
    [LoggerMessage(201, LogLevel.Information, "The relay {Name} is ready: {Listeners} listeners, {Pools} pools, commands at {Control}.")]
    public static partial void Ready(this ILogger log, string name, int listeners, int pools, string control);

    [LoggerMessage(202, LogLevel.Information, "The relay stops; {Sessions} sessions end with it.")]
    public static partial void Stopping(this ILogger log, int sessions);

    [LoggerMessage(203, LogLevel.Information, "Session {Id} of {Listener}: {Client} to {Pool}/{Server}: {End}; {ToServer} bytes to the server, {ToClient} to the client; " +
        "{Opening:F1} ms to open, {Seconds:F3} s in all; passes: {Passes}.")]
    public static partial void SessionEnded(this ILogger log, Guid id, string listener, IPEndPoint client, string pool, string server, string end,
        long toServer, long toClient, double opening, double seconds, int passes);

    [LoggerMessage(204, LogLevel.Information, "A client of {Listener}, {Client}: {End} after {Milliseconds:F1} ms.")]
    public static partial void NotOpened(this ILogger log, string listener, IPEndPoint? client, string end, double milliseconds);

    [LoggerMessage(205, LogLevel.Warning, "The server {Server} of {Pool} at {Address} was not connected to: {Code}.")]
    public static partial void ConnectFailed(this ILogger log, string server, string pool, IPEndPoint address, string code);

    [LoggerMessage(206, LogLevel.Warning, "The server {Server} of {Pool} is left out for {Seconds} s: {Connects} connects in a row have failed.")]
    public static partial void ServerEjected(this ILogger log, string server, string pool, double seconds, int connects);

    [LoggerMessage(207, LogLevel.Information, "The server {Server} of {Pool} is up again: connected after {Milliseconds:F1} ms.")]
    public static partial void ServerUp(this ILogger log, string server, string pool, double milliseconds);

    [LoggerMessage(208, LogLevel.Warning, "The server {Server} of {Pool} is down: {Code}, {Checks} times in a row.")]
    public static partial void ServerDown(this ILogger log, string server, string pool, string code, int checks);

    [LoggerMessage(209, LogLevel.Information, "Session {Id} of {Listener} has come from {Origin}: {Client} to {Pool}/{Server}.")]
    public static partial void SessionCame(this ILogger log, Guid id, string listener, string origin, IPEndPoint client, string pool, string server);

    [LoggerMessage(210, LogLevel.Warning, "Session {Id} of {Listener} goes on here: {Failure}: {Detail}")]
    public static partial void SessionStays(this ILogger log, Guid id, string listener, string failure, string detail);

    [LoggerMessage(211, LogLevel.Warning, "A session from {Origin} is refused: {Reason}")]
    public static partial void SessionRefused(this ILogger log, string origin, string reason);

    [LoggerMessage(212, LogLevel.Error, "A session that has come from {Origin} cannot go on: {Reason}")]
    public static partial void SessionLost(this ILogger log, string origin, string reason);

    [LoggerMessage(213, LogLevel.Information, "The agent of this host takes and passes sessions as '{Application}'.")]
    public static partial void Registered(this ILogger log, string application);

    [LoggerMessage(214, LogLevel.Warning, "The agent of this host is not reached; sessions cannot move until it is: {Reason}")]
    public static partial void NoAgent(this ILogger log, string reason);

    [LoggerMessage(215, LogLevel.Information, "The configuration was read again. {Waiting}")]
    public static partial void Reloaded(this ILogger log, string waiting);

    [LoggerMessage(216, LogLevel.Error, "The configuration was not followed: {Reason}")]
    public static partial void NotReloaded(this ILogger log, string reason);

    [LoggerMessage(217, LogLevel.Warning, "{Listener} could not accept a connection: {Reason}")]
    public static partial void NotAccepted(this ILogger log, string listener, string reason);

    [LoggerMessage(218, LogLevel.Error, "{What}")]
    public static partial void Failed(this ILogger log, string what, Exception exception);

    [LoggerMessage(220, LogLevel.Warning, "{Listener} at {Address} is not taken over: {Reason}")]
    public static partial void ListenerNotTaken(this ILogger log, string listener, IPEndPoint address, string reason);

    [LoggerMessage(221, LogLevel.Information, "A new process of the relay has taken {Sessions} sessions over; {Staying} stay here to their end.")]
    public static partial void HandedOver(this ILogger log, int sessions, int staying);

    [LoggerMessage(222, LogLevel.Error, "The new process of the relay has gone away; this one goes on with all that it has not taken ({Sessions} sessions): {Reason}")]
    public static partial void NotHandedOver(this ILogger log, int sessions, string reason);

    [LoggerMessage(223, LogLevel.Information, "Taken over from the process before: {Listeners} listening sockets and {Sessions} sessions.")]
    public static partial void TookOver(this ILogger log, int listeners, int sessions);

    [LoggerMessage(219, LogLevel.Information, "An operator has set {Server} of {Pool}: state {State}, weight {Weight}.")]
    public static partial void ServerSet(this ILogger log, string server, string pool, string state, int weight);
}
