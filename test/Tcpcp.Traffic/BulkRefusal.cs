namespace Tcpcp.Traffic;

/// <summary>Why a pass is refused after the divert.</summary>
public enum BulkRefusal
{
    /// <summary>The application does not want the connection.</summary>
    ByApplication,

    /// <summary>The destination's kernel has a connection of that name.</summary>
    ByKernel,
}
