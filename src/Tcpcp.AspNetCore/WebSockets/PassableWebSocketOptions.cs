namespace Tcpcp.AspNetCore;

/// <summary>How a WebSocket is accepted, and what goes with it when it is passed.</summary>
public sealed class PassableWebSocketOptions
{
    /// <summary>
    /// Gives what the handler needs to go on at another host. It is called when the handler waits in <c>ReceiveAsync</c> between two messages; from its return until <see cref="Resume"/> the
    /// handler begins no message, and what it has sent before counts as sent.
    /// </summary>
    public required Func<CancellationToken, ValueTask<ReadOnlyMemory<byte>>> GetStateAsync { get; init; }

    /// <summary>The WebSocket stays here after all. Called after <see cref="GetStateAsync"/> only. Default: nothing.</summary>
    public Action? Resume { get; init; }

    /// <summary>The subprotocol that was chosen; null: none.</summary>
    public string? SubProtocol { get; init; }

    /// <summary>How often an idle client is pinged. Default 2 minutes, as elsewhere in ASP.NET Core.</summary>
    public TimeSpan KeepAliveInterval { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Compresses messages if the client wants it (permessage-deflate), each by itself. Default false: who compresses secrets beside what an attacker may choose gives them away
    /// (CRIME and BREACH).</summary>
    public bool DangerousEnableCompression { get; init; }

    /// <summary>Compresses better, with what earlier messages had: such a WebSocket cannot be passed. Default false.</summary>
    public bool KeepCompressionContext { get; init; }
}
