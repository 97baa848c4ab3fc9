using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Tcpcp.Agent.Redirection;
using Tcpcp.Core.Wire;

namespace Tcpcp.Agent.Link;

/// <summary>Serves one stream of an origin until it ends.</summary>
/// <param name="peer">The name of the origin's certificate.</param>
/// <returns>Null if it ended as streams do, else why it is refused, in one sentence.</returns>
internal delegate Task<string?> PassServing(IPassLink link, string peer, CancellationToken cancellationToken);

/// <summary>What a server for other agents needs.</summary>
internal sealed record AgentServerOptions
{
    /// <summary>Where it listens: the agent's own address, not a service address.</summary>
    public required IPEndPoint EndPoint { get; init; }

    public required AgentCredentials Credentials { get; init; }

    public required PassServing Serve { get; init; }

    /// <summary>Who this agent is.</summary>
    public required Func<PingReply> Describe { get; init; }

    /// <summary>What it forwards; null: nothing. Asked for when it is needed.</summary>
    public Func<IPacketHome?> Home { get; init; } = () => null;

    /// <summary>What moves packets for other hosts; null: nothing. Asked for when it is needed.</summary>
    public Func<IRedirectorService?> Redirector { get; init; } = () => null;

    /// <summary>What says which connections live here; null: nothing does. Asked for when it is needed.</summary>
    public Func<IOwnershipService?> Ownership { get; init; } = () => null;

    public required LinkObserver Observer { get; init; }

    /// <summary>How long a connection may take until its certificate is verified. Default 5 s.</summary>
    public TimeSpan HandshakeTime { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a verified connection may stay without a call. Default 60 s.</summary>
    public TimeSpan SilenceTime { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Connections at a time, over all listeners; further ones are closed at once. Default 1,024.</summary>
    public int MaxConnections { get; init; } = 1024;

    /// <summary>Adds listeners besides the agents': plain HTTP for metrics and health. Agents are never served there.</summary>
    public Action<KestrelServerOptions>? Listen { get; init; }

    /// <summary>Adds services that <see cref="Map"/> needs.</summary>
    public Action<IServiceCollection>? AddServices { get; init; }

    /// <summary>Adds end points. They are reached over every listener: who minds asks for the local port.</summary>
    public Action<WebApplication>? Map { get; init; }
}
