namespace Tcpcp.Core;

/// <summary>A snapshot that cannot be of a TCP connection: it was damaged, or made by somebody who means harm. Nothing was done with it.</summary>
public sealed class InvalidSnapshotException : FormatException
{
    /// <summary>Says what is wrong.</summary>
    public InvalidSnapshotException(string message)
        : base(message)
    {
    }

    /// <summary>Says what is wrong, and how it was found.</summary>
    public InvalidSnapshotException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
