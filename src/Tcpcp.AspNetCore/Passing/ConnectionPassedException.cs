namespace Tcpcp.AspNetCore;

/// <summary>The connection lives at another host now: whoever hears it ends, and changes nothing that belongs to the connection. An application need not catch it.</summary>
public sealed class ConnectionPassedException : OperationCanceledException
{
    /// <summary>Says that the connection was passed.</summary>
    public ConnectionPassedException()
        : base("The connection was passed to another host.")
    {
    }

    /// <param name="message">What is said instead.</param>
    public ConnectionPassedException(string message)
        : base(message)
    {
    }

    /// <param name="message">What is said instead.</param>
    /// <param name="innerException">What made it known.</param>
    public ConnectionPassedException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
