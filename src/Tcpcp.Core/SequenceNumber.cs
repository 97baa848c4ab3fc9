namespace Tcpcp.Core;

/// <summary>A TCP sequence number: a position in a stream, modulo 2^32 (RFC 9293, 3.4).</summary>
/// <param name="Value">The number as it stands in the header, in host byte order.</param>
public readonly record struct SequenceNumber(uint Value)
{
    /// <summary>Order modulo 2^32: true if this number lies after <paramref name="other"/> by less than 2^31.</summary>
    public bool IsAfter(SequenceNumber other) => unchecked((int)(Value - other.Value)) > 0;

    /// <summary>Order modulo 2^32: true if this number equals <paramref name="other"/> or lies after it.</summary>
    public bool IsAtOrAfter(SequenceNumber other) => unchecked((int)(Value - other.Value)) >= 0;

    /// <summary>Order modulo 2^32: true if this number lies before <paramref name="other"/> by at most 2^31.</summary>
    public bool IsBefore(SequenceNumber other) => unchecked((int)(Value - other.Value)) < 0;

    /// <summary>The number <paramref name="count"/> bytes further on; negative counts go back.</summary>
    public SequenceNumber Add(int count) => new(unchecked(Value + (uint)count));

    /// <summary>Signed distance in bytes from <paramref name="other"/> to this number, modulo 2^32.</summary>
    public int DistanceFrom(SequenceNumber other) => unchecked((int)(Value - other.Value));

    /// <summary>The number <paramref name="count"/> bytes further on.</summary>
    public static SequenceNumber operator +(SequenceNumber number, int count) => number.Add(count);

    /// <summary>The number <paramref name="count"/> bytes back.</summary>
    public static SequenceNumber operator -(SequenceNumber number, int count) => new(unchecked(number.Value - (uint)count));

    /// <summary>Signed distance in bytes, modulo 2^32.</summary>
    public static int operator -(SequenceNumber left, SequenceNumber right) => left.DistanceFrom(right);

    /// <summary>The number <paramref name="count"/> bytes back (for languages without operators).</summary>
    public SequenceNumber Subtract(int count) => this - count;

    /// <summary>The number in decimal.</summary>
    public override string ToString() => Value.ToString(System.Globalization.CultureInfo.InvariantCulture);
}
