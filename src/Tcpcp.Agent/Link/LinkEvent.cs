namespace Tcpcp.Agent.Link;

/// <summary>What happens on the links between agents that an operator should see: for logs and counters.</summary>
internal enum LinkEventKind
{
    /// <summary>A destination was reached.</summary>
    Connected,

    /// <summary>A link that was open broke or was closed.</summary>
    Broken,

    /// <summary>A destination was not reached. Reported when it begins and when the reason changes, not at every attempt.</summary>
    Unreachable,

    /// <summary>Somebody connected who is no agent with a certificate of the authority: no TLS 1.3, no certificate, a wrong one, nothing at all.</summary>
    HandshakeRefused,

    /// <summary>A verified peer connected and called nothing that an agent offers.</summary>
    NoCall,

    /// <summary>A verified peer sent what is no message of a pass, or one that is too large; its stream was closed.</summary>
    StreamRefused,

    /// <summary>A message about a pass that another certificate has offered: answered as if the pass was unknown.</summary>
    ForeignPass,

    /// <summary>An offer that the policy does not allow.</summary>
    PolicyRefused,

    /// <summary>Another host says that connections have ended which are forwarded, and they are forwarded still: to somebody else, or on another account.</summary>
    ForwardingStands,

    /// <summary>The certificate files have changed and are used for new links.</summary>
    CertificateReloaded,

    /// <summary>The certificate files have changed and cannot be used; the ones before stay.</summary>
    CertificateUnusable,
}

/// <param name="Peer">The other agent's certificate name, or what it is reached by; the address of one that has shown none.</param>
/// <param name="Detail">A sentence for the log.</param>
internal readonly record struct LinkEvent(LinkEventKind Kind, string Peer, string Detail);

/// <summary>Hears of the links. Called from any thread; it must not block.</summary>
internal delegate void LinkObserver(LinkEvent happened);
