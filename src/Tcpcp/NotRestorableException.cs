using Tcpcp.Core;

namespace Tcpcp;

/// <summary>Why a connection cannot be restored on this host.</summary>
public enum NotRestorableReason
{
    /// <summary>It can.</summary>
    None,

    /// <summary>The connection's local address is not of this host (or, IPv6, it is still tentative).</summary>
    AddressNotHere,

    /// <summary>A socket with the same four-tuple lives on this host.</summary>
    AlreadyAlive,
}

/// <summary>The connection cannot be restored here. Nothing was changed, nothing was sent, and the snapshot can be used again.</summary>
public sealed class NotRestorableException : InvalidOperationException
{
    internal NotRestorableException(NotRestorableReason reason, FourTuple connection, string message, Exception inner)
        : base($"{connection} cannot be restored here: {message}", inner)
    {
        Reason = reason;
        Connection = connection;
    }

    /// <summary>The reason.</summary>
    public NotRestorableReason Reason { get; }

    /// <summary>The connection.</summary>
    public FourTuple Connection { get; }
}
