namespace Tcpcp.Agent.Link;

/// <summary>What is known of one connection that was accepted.</summary>
internal sealed class PeerConnection
{
    /// <summary>The certificate's name; null before it was verified.</summary>
    public string? Name { get; set; }

    /// <summary>What was wrong with its certificate.</summary>
    public string? Fault { get; set; }

    /// <summary>It has called something that agents offer.</summary>
    public bool HasCalled { get; set; }
}
