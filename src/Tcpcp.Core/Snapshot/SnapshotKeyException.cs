namespace Tcpcp.Core;

/// <summary>A saved connection that is encrypted and no key was given, or the other way round, or the key is another one.</summary>
public sealed class SnapshotKeyException : Exception
{
    /// <summary>Says what does not fit.</summary>
    public SnapshotKeyException(string message)
        : base(message)
    {
    }

    /// <summary>Says what does not fit, and how it was found.</summary>
    public SnapshotKeyException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
