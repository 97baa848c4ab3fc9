namespace Tcpcp.Check;

/// <summary>What the capture proves.</summary>
public enum Verdict
{
    /// <summary>Everything that the peer saw was captured, and nothing in it is contradictory.</summary>
    Clean,

    /// <summary>At least one contradiction.</summary>
    Contradictory,

    /// <summary>No contradiction was found, but the capture has holes and one may lie in them.</summary>
    Incomplete,
}
