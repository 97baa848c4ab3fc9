using System.Security.Cryptography;

namespace Tcpcp.Core;

/// <summary>Names one pass; random, used once.</summary>
/// <param name="Value">128 random bits.</param>
public readonly record struct PassId(Guid Value)
{
    /// <summary>A new one.</summary>
    public static PassId New() => new(new Guid(RandomNumberGenerator.GetBytes(16)));

    /// <summary>32 hexadecimal digits.</summary>
    public override string ToString() => Value.ToString("N");
}

/// <summary>
/// What a destination gives with its readiness: proof that an answer is about this offer, of this life of its journal. A message with another ticket
/// than the known one is ignored.
/// </summary>
/// <param name="Incarnation">Identity of the destination's journal: a new, lost or damaged journal is a new one.</param>
/// <param name="Number">Never used before in that incarnation.</param>
public readonly record struct PassTicket(Guid Incarnation, ulong Number)
{
    /// <summary>Number and the incarnation's first digits.</summary>
    public override string ToString() => $"{Number}@{Incarnation.ToString("N")[..8]}";
}
