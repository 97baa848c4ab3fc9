using Microsoft.Extensions.Logging;
using Tcpcp.Core;

namespace Tcpcp.AspNetCore.Hosting;

/// <summary>What the integration says to the application's log. Event ids are stable.</summary>
internal static partial class TcpcpLog
{
    [LoggerMessage(301, LogLevel.Information, "Connections of '{Application}' can be passed: the agent is {Host}.")]
    public static partial void Registered(this ILogger log, string application, string host);

    [LoggerMessage(302, LogLevel.Warning, "Connections cannot be passed yet: {Reason} The agent is tried again until it is there.")]
    public static partial void NoAgent(this ILogger log, string reason);

    [LoggerMessage(303, LogLevel.Debug, "{Connection} was passed to another host.")]
    public static partial void Passed(this ILogger log, FourTuple? connection);

    [LoggerMessage(304, LogLevel.Information, "{Connection} stays: {Failure}: {Detail}")]
    public static partial void Stays(this ILogger log, FourTuple? connection, PassFailure failure, string detail);

    [LoggerMessage(305, LogLevel.Debug, "{Connection} has come from {Origin}.")]
    public static partial void Came(this ILogger log, FourTuple connection, string origin);

    [LoggerMessage(306, LogLevel.Information, "{Connection} from {Origin} is not taken: {Reason}")]
    public static partial void Refused(this ILogger log, FourTuple connection, string origin, string reason);

    [LoggerMessage(307, LogLevel.Warning, "{Connection} came from another host and was reset: {Reason}")]
    public static partial void Lost(this ILogger log, FourTuple? connection, string reason);

    [LoggerMessage(308, LogLevel.Error, "{Connection} is lost: {Failure}, owner {Owner}: {Detail}")]
    public static partial void Gone(this ILogger log, FourTuple? connection, PassFailure failure, ConnectionOwner owner, string detail);

    [LoggerMessage(309, LogLevel.Information, "Drained: {Passed} connections were passed, {Finished} are finished here instead, {Stayed} stay; {Milliseconds:F0} ms.")]
    public static partial void Drained(this ILogger log, int passed, int finished, int stayed, double milliseconds);

    [LoggerMessage(310, LogLevel.Warning, "The application stops without passing its connections: {Reason}")]
    public static partial void NotDrained(this ILogger log, string reason);
}
