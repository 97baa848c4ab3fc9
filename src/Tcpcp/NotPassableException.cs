using Tcpcp.Core;

namespace Tcpcp;

/// <summary>Why a connection cannot be passed.</summary>
public enum NotPassableReason
{
    /// <summary>It can.</summary>
    None,

    /// <summary>The descriptor is not a TCP socket over IPv4 or IPv6 (Multipath TCP is not either).</summary>
    NotTcp,

    /// <summary>The connection is in a state that cannot be passed.</summary>
    State,

    /// <summary>Urgent data is unread: repair mode cannot carry the urgent pointer.</summary>
    UrgentData,

    /// <summary>The socket has an upper layer in the kernel, such as kTLS, whose state cannot be carried.</summary>
    UpperLayerProtocol,

    /// <summary>Its segments are signed (TCP-MD5 or TCP-AO), with keys that cannot be read back.</summary>
    SignedSegments,

    /// <summary>Another pass of the connection is open: its socket is behind the gate.</summary>
    AlreadyPassing,

    /// <summary>The sequence numbers kept moving behind the closed gate.</summary>
    Unstable,

    /// <summary>It has agreed on explicit congestion notification, and the agent's policy is to pass no such connection.</summary>
    Ecn,
}

/// <summary>The connection cannot be passed. It goes on as it was: nothing was changed.</summary>
public sealed class NotPassableException : InvalidOperationException
{
    internal NotPassableException(NotPassableReason reason, FourTuple? connection, string message)
        : base(connection is null ? message : $"{connection} cannot be passed: {message}")
    {
        Reason = reason;
        Connection = connection;
    }

    /// <summary>The reason.</summary>
    public NotPassableReason Reason { get; }

    /// <summary>The connection, where the socket has one.</summary>
    public FourTuple? Connection { get; }
}
