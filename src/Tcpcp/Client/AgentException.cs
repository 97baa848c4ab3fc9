namespace Tcpcp.Client;

/// <summary>The agent of this host did not do what was asked, or is not there. Nothing has changed; the message says what to do.</summary>
public sealed class AgentException : IOException
{
    internal AgentException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }
}
