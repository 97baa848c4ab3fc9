using System.Buffers.Binary;

namespace Tcpcp.Fuzz.Fuzzing;

/// <summary>One field of a protobuf message, without its schema.</summary>
/// <param name="Type">Wire type: 0 varint, 1 fixed64, 2 bytes, 5 fixed32.</param>
/// <param name="Value">Of a number.</param>
/// <param name="Content">Of bytes.</param>
internal readonly record struct WireField(uint Number, int Type, ulong Value, byte[] Content)
{
    public static WireField Of(uint number, ulong value) => new(number, 0, value, []);

    public static WireField Of(uint number, byte[] content) => new(number, 2, 0, content);
}

/// <summary>Protobuf messages as lists of fields, so that a change of a field leaves the lengths around it right.</summary>
internal static class WireFields
{
    /// <returns>Null if the bytes are no message.</returns>
    public static List<WireField>? Read(ReadOnlySpan<byte> bytes)
    {
        List<WireField> fields = [];
        while (!bytes.IsEmpty)
        {
            if (!TryVarint(ref bytes, out ulong tag) || tag >> 3 is 0 or > 536_870_911)
                return null;
            uint number = (uint)(tag >> 3);
            int type = (int)(tag & 7);
            switch (type)
            {
                case 0 when TryVarint(ref bytes, out ulong value):
                    fields.Add(WireField.Of(number, value));
                    break;
                case 1 when bytes.Length >= 8:
                    fields.Add(new WireField(number, 1, BinaryPrimitives.ReadUInt64LittleEndian(bytes), []));
                    bytes = bytes[8..];
                    break;
                case 2 when TryVarint(ref bytes, out ulong length) && length <= (ulong)bytes.Length:
                    fields.Add(WireField.Of(number, bytes[..(int)length].ToArray()));
                    bytes = bytes[(int)length..];
                    break;
                case 5 when bytes.Length >= 4:
                    fields.Add(new WireField(number, 5, BinaryPrimitives.ReadUInt32LittleEndian(bytes), []));
                    bytes = bytes[4..];
                    break;
                default:
                    return null;
            }
        }

        return fields;
    }

    public static byte[] Write(IEnumerable<WireField> fields)
    {
        using MemoryStream stream = new();
        Span<byte> number = stackalloc byte[8];
        foreach (WireField field in fields)
        {
            WriteVarint(stream, ((ulong)field.Number << 3) | (uint)field.Type);
            switch (field.Type)
            {
                case 0:
                    WriteVarint(stream, field.Value);
                    break;
                case 2:
                    WriteVarint(stream, (ulong)field.Content.Length);
                    stream.Write(field.Content);
                    break;
                default:
                    BinaryPrimitives.WriteUInt64LittleEndian(number, field.Value);
                    stream.Write(number[..(field.Type == 1 ? 8 : 4)]);
                    break;
            }
        }

        return stream.ToArray();
    }

    private static bool TryVarint(ref ReadOnlySpan<byte> bytes, out ulong value)
    {
        value = 0;
        for (int i = 0; i < Math.Min(bytes.Length, 10); i++)
        {
            value |= (ulong)(bytes[i] & 0x7f) << (7 * i);
            if (bytes[i] >= 0x80)
                continue;
            bytes = bytes[(i + 1)..];
            return true;
        }

        return false;
    }

    private static void WriteVarint(Stream stream, ulong value)
    {
        for (; value >= 0x80; value >>= 7)
            stream.WriteByte((byte)(value | 0x80));
        stream.WriteByte((byte)value);
    }
}
