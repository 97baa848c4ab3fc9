namespace Tcpcp.LocalApi;

/// <summary>The bounds of the protocol between an agent and the programs of its host (docs/local-api.md).</summary>
internal static class LocalProtocol
{
    public const uint Version = 1;

    /// <summary>Where an agent listens unless it is configured otherwise.</summary>
    public const string DefaultPath = "/run/tcpcp/agent.sock";

    public const int MaxPacketBytes = 64 << 10;

    /// <summary>A larger state travels in a descriptor.</summary>
    public const int MaxInlineStateBytes = 32 << 10;

    public const int MaxStateBytes = 16 << 20;

    /// <summary>Connections of one pass.</summary>
    public const int MaxConnections = 64;

    /// <summary>Bytes of a name in UTF-16 code units.</summary>
    public const int MaxNameLength = 128;
}
