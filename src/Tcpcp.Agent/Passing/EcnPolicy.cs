namespace Tcpcp.Agent.Passing;

/// <summary>What becomes of connections that have agreed on explicit congestion notification (RFC 3168): the repair interface does not carry it.</summary>
internal enum EcnPolicy
{
    /// <summary>They go on without it.</summary>
    Drop,

    /// <summary>They go on with it, where the kernel can.</summary>
    Keep,

    /// <summary>They are not passed.</summary>
    Refuse,
}
