namespace Tcpcp.Check.Packets;

/// <summary>What a captured packet turned out to be.</summary>
internal enum ParseOutcome
{
    /// <summary>A TCP segment, complete at least to the end of its header.</summary>
    Segment,

    /// <summary>Something else than TCP over IP, or a link type that is not understood.</summary>
    NotTcp,

    /// <summary>A fragment of a TCP segment: only the addresses are known.</summary>
    Fragment,

    /// <summary>TCP, with headers cut off by the snapshot length or malformed: only the addresses are known.</summary>
    Unreadable,
}
