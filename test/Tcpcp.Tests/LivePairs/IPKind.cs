namespace Tcpcp.Tests;

/// <summary>What a connection's service socket is.</summary>
public enum IPKind
{
    /// <summary>An IPv4 socket.</summary>
    IPv4,

    /// <summary>An IPv6 socket.</summary>
    IPv6,

    /// <summary>An IPv6 socket that carries IPv4.</summary>
    V4Mapped,
}
