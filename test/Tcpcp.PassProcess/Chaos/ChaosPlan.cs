using System.Buffers.Binary;
using System.Globalization;

namespace Tcpcp.PassProcess.Chaos;

/// <summary>What a conversation is about.</summary>
/// <param name="Up">Bytes that the peer sends after the plan.</param>
/// <param name="Down">Bytes that the service sends.</param>
/// <param name="BytesPerSecond">Of each side, at most.</param>
internal readonly record struct ChaosPlan(long Number, long Up, long Down, long BytesPerSecond)
{
    public const int Bytes = 4 * sizeof(long);

    public static ChaosPlan Read(ReadOnlySpan<byte> bytes) => new(BinaryPrimitives.ReadInt64BigEndian(bytes), BinaryPrimitives.ReadInt64BigEndian(bytes[8..]),
        BinaryPrimitives.ReadInt64BigEndian(bytes[16..]), BinaryPrimitives.ReadInt64BigEndian(bytes[24..]));

    public void WriteTo(Span<byte> bytes)
    {
        BinaryPrimitives.WriteInt64BigEndian(bytes, Number);
        BinaryPrimitives.WriteInt64BigEndian(bytes[8..], Up);
        BinaryPrimitives.WriteInt64BigEndian(bytes[16..], Down);
        BinaryPrimitives.WriteInt64BigEndian(bytes[24..], BytesPerSecond);
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Number} ({Up} up, {Down} down, {BytesPerSecond} B/s)");
}
