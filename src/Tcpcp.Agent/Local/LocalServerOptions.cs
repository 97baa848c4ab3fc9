using Tcpcp.LocalApi;

namespace Tcpcp.Agent.Local;

/// <summary>Where the programs of this host reach the agent, which of them may, and the bounds.</summary>
internal sealed record LocalServerOptions
{
    /// <summary>The socket. Default /run/tcpcp/agent.sock.</summary>
    public string Path { get; init; } = LocalProtocol.DefaultPath;

    /// <summary>Group whose members may register applications and pass their connections: its name or number. Default null: only root and the agent's own user.</summary>
    public string? ApplicationGroup { get; init; }

    /// <summary>Group whose members may also list, settle and drain. Default null: only root and the agent's own user. Danger: they decide who owns a connection.</summary>
    public string? OperatorGroup { get; init; }

    /// <summary>Programs connected at a time; one more is sent away. Default 256.</summary>
    public int MaxClients { get; init; } = 256;

    /// <summary>Names that one program may register. Default 16.</summary>
    public int MaxNames { get; init; } = 16;

    /// <summary>Questions of one program that may be open at a time; one more is answered with Failed. Default 256.</summary>
    public int MaxRequests { get; init; } = 256;

    /// <summary>Packets kept for a program that does not receive, before it is given up. Default 512.</summary>
    public int MaxWaitingPackets { get; init; } = 512;

    /// <summary>How long a program may take for its Hello. Default 5 s.</summary>
    public TimeSpan HelloTime { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long an application may take to stop at a boundary and give its state; then its connections go on where they are. Default 2 s.</summary>
    public TimeSpan QuiesceTime { get; init; } = TimeSpan.FromSeconds(2);
}
