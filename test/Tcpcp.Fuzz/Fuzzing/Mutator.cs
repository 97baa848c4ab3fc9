using System.Buffers.Binary;

namespace Tcpcp.Fuzz.Fuzzing;

/// <summary>Makes a new input of a known one.</summary>
/// <param name="isMessage">The inputs are protobuf messages: changed field by field most of the time.</param>
/// <param name="tokens">Pieces that the format has.</param>
internal sealed class Mutator(Random random, bool isMessage, IReadOnlyList<byte[]> tokens, int maxBytes)
{
    private static readonly ulong[] s_edges =
    [
        0, 1, 2, 3, 4, 7, 8, 14, 15, 16, 31, 32, 63, 64, 127, 128, 255, 256, 1000, 1023, 1024, 4095, 4096, 32_767, 32_768, 65_535, 65_536, 1 << 20, (1 << 20) + 1,
        (1 << 30) - 1, 1 << 30, (1 << 30) + 1, int.MaxValue, 1UL << 31, uint.MaxValue, 1UL << 32, long.MaxValue, 1UL << 63, ulong.MaxValue,
        922_337_203_685_477, 922_337_203_685_478, 253_402_300_800_000_000, // around the ends of TimeSpan and DateTime
    ];

    public byte[] Mutate(byte[] input, Func<byte[]> other)
    {
        byte[] result = input;
        for (int times = 1 << random.Next(5); times > 0; times--)
        {
            result = isMessage && random.Next(4) > 0 && WireFields.Read(result) is { } fields ? Fields(fields, other, depth: 0) : Bytes(result, other);
            if (result.Length > maxBytes)
                result = result[..maxBytes];
        }

        return result;
    }

    private byte[] Fields(List<WireField> fields, Func<byte[]> other, int depth)
    {
        int at = fields.Count == 0 ? 0 : random.Next(fields.Count);
        if (fields.Count > 0 && fields[at].Type == 2 && depth < 8 && random.Next(5) > 0 && WireFields.Read(fields[at].Content) is { Count: > 0 } inner)
        {
            fields[at] = fields[at] with { Content = Fields(inner, other, depth + 1) };
            return WireFields.Write(fields);
        }

        switch (fields.Count == 0 ? 0 : random.Next(8))
        {
            case 0:
                fields.Insert(random.Next(fields.Count + 1), random.Next(3) == 0 ? WireField.Of((uint)random.Next(1, 60), []) : WireField.Of((uint)random.Next(1, 60), Edge()));
                break;
            case 1:
                fields.RemoveAt(at);
                break;
            case 2:
                fields.InsertRange(at, Enumerable.Repeat(fields[at], random.Next(20) == 0 ? 100 : 1));
                break;
            case 3:
                fields[at] = fields[at] with { Number = (uint)random.Next(1, 60) };
                break;
            case 4 when WireFields.Read(other()) is { Count: > 0 } others:
                fields.Insert(random.Next(fields.Count + 1), others[random.Next(others.Count)]);
                break;
            default:
                fields[at] = fields[at].Type == 2
                    ? fields[at] with { Content = random.Next(4) switch { 0 => [], 1 => Block(), _ => Bytes(fields[at].Content, other) } }
                    : fields[at] with { Value = random.Next(2) == 0 ? Edge() : unchecked(fields[at].Value + (ulong)random.Next(-2, 3)) };
                break;
        }

        return WireFields.Write(fields);
    }

    private byte[] Bytes(byte[] input, Func<byte[]> other)
    {
        if (input.Length == 0)
            return Block();
        int at = random.Next(input.Length);
        byte[] copy = [.. input];
        switch (random.Next(11))
        {
            case 0:
                copy[at] ^= (byte)(1 << random.Next(8));
                return copy;
            case 1:
                copy[at] = (byte)random.Next(256);
                return copy;
            case 2:
                copy[at] += (byte)random.Next(-16, 17);
                return copy;
            case 3:
                return Number(copy, at);
            case 4:
                return [.. input[..at], .. input[Math.Min(input.Length, at + 1 + random.Next(1 << random.Next(8)))..]];
            case 5:
                return [.. input[..at], .. Block(), .. input[at..]];
            case 6:
                int end = Math.Min(input.Length, at + 1 + random.Next(1 << random.Next(8)));
                return [.. input[..end], .. input[at..end], .. input[end..]];
            case 7:
                byte[] another = other();
                return [.. input[..at], .. another[Math.Min(another.Length, random.Next(another.Length + 1))..]];
            case 8:
                return input[..at];
            case 9 when tokens.Count > 0:
                return [.. input[..at], .. tokens[random.Next(tokens.Count)], .. input[at..]];
            case 10 when tokens.Count > 0:
                byte[] token = tokens[random.Next(tokens.Count)];
                return [.. input[..at], .. token, .. input[Math.Min(input.Length, at + token.Length)..]];
            default:
                return Number(copy, at);
        }
    }

    private byte[] Number(byte[] bytes, int at)
    {
        int width = 1 << random.Next(4);
        if (at + width > bytes.Length)
            return bytes;
        Span<byte> number = stackalloc byte[8];
        if (random.Next(2) == 0)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(number, Edge());
            number[..width].CopyTo(bytes.AsSpan(at));
        }
        else
        {
            BinaryPrimitives.WriteUInt64BigEndian(number, Edge());
            number[(8 - width)..].CopyTo(bytes.AsSpan(at));
        }

        return bytes;
    }

    private byte[] Block()
    {
        byte[] block = new byte[random.Next(1 << random.Next(11))];
        if (random.Next(2) == 0)
            random.NextBytes(block);
        else
            Array.Fill(block, (byte)random.Next(256));
        return block;
    }

    private ulong Edge() => s_edges[random.Next(s_edges.Length)] + (random.Next(4) == 0 ? unchecked((ulong)random.Next(-2, 3)) : 0);
}
