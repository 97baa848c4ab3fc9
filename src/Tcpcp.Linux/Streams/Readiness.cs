namespace Tcpcp.Linux.Streams;

/// <summary>What can be done with a descriptor without waiting.</summary>
[Flags]
internal enum Readiness
{
    None = 0,

    /// <summary>There is something to read, an end or an error included.</summary>
    Readable = 1,

    /// <summary>There is room to write, or writing fails at once.</summary>
    Writable = 2,

    /// <summary>The other end has closed its side, or the connection has ended: a read that finds nothing more will say so.</summary>
    Ending = 4,
}

/// <summary>A descriptor that has become ready.</summary>
/// <param name="Key">What it was added with.</param>
internal readonly record struct ReadyDescriptor(ulong Key, Readiness Readiness);
