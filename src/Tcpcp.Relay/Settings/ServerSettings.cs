using System.Net;
using Tcpcp.Relay.Servers;

namespace Tcpcp.Relay.Settings;

/// <summary>A server as it is configured.</summary>
internal sealed record ServerSettings
{
    public required string Name { get; init; }

    public required IPEndPoint Address { get; init; }

    /// <summary>Its share beside the others; 0: it gets no new sessions.</summary>
    public int Weight { get; init; } = 1;

    /// <summary>It gets sessions only while no other server takes them.</summary>
    public bool IsBackup { get; init; }

    public ServerState State { get; init; } = ServerState.Ready;

    /// <summary>0: no limit.</summary>
    public int MaxSessions { get; init; }

    /// <summary>It is told the client's address in a PROXY protocol header, version 2.</summary>
    public bool GetsProxyHeader { get; init; }
}
