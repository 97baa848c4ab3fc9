namespace Tcpcp.Agent.Local;

/// <summary>Takes what applications that have reconnected say of passes whose outcome they do not know.</summary>
internal interface IKnownPasses
{
    /// <summary>Takes a claim; it is the receiver's, to conclude once and to dispose of. Must not block.</summary>
    void Claim(KnownPass claim);
}
