using Google.Protobuf;
using Google.Protobuf.Reflection;
using Tcpcp.Core.Wire;

namespace Tcpcp.Tests.HostileSnapshots;

/// <summary>Snapshots of which one field, or two that belong together, has another value than the kernel gave it. By reflection: new fields are covered by themselves.</summary>
internal static class SnapshotVariants
{
    private static readonly ulong[] s_edges =
    [
        0, 1, 2, 14, 15, 127, 128, 255, 256, 32_767, 32_768, 65_535, 65_536, (1 << 30) - 1, 1 << 30, (1 << 30) + 1, int.MaxValue, 1UL << 31, uint.MaxValue - 1, uint.MaxValue,
        1UL << 32, long.MaxValue, 1UL << 63, ulong.MaxValue,
    ];

    private static readonly string[] s_texts = ["", "reno", "a", "fifteen-letters", "sixteen--letters", "cubic\0", "../cubic", "kubic ", "kübic", "\ufffd", new('x', 70_000)];

    private static readonly ByteString s_tooLarge = UnsafeByteOperations.UnsafeWrap(new byte[(64 << 20) + 1]);

    // Their fields depend on each other.
    private static readonly MessageDescriptor[] s_related = [SendSpace.Descriptor, ReceiveSpace.Descriptor, Window.Descriptor];

    /// <summary>Each with the path of what was changed, and its value.</summary>
    public static IEnumerable<(string Change, ConnectionSnapshot Message)> Of(ConnectionSnapshot valid) =>
        SingleFields(valid).Concat(Pairs(valid)).Concat(MovedNumbers(valid));

    private static IEnumerable<(string Change, ConnectionSnapshot Message)> SingleFields(ConnectionSnapshot valid)
    {
        foreach ((string path, Func<ConnectionSnapshot, IMessage> parent, FieldDescriptor field) in Fields(valid, _ => _, ""))
        {
            object? present = field.Accessor.GetValue(parent(valid));
            foreach (object? value in Values(field, present))
            {
                ConnectionSnapshot variant = valid.Clone();
                if (value is null)
                    field.Accessor.Clear(parent(variant));
                else
                    field.Accessor.SetValue(parent(variant), value);
                yield return ($"{path} = {Text(value)}", variant);
            }
        }
    }

    // Off by one against each other.
    private static IEnumerable<(string Change, ConnectionSnapshot Message)> Pairs(ConnectionSnapshot valid)
    {
        (string Path, Func<ConnectionSnapshot, IMessage> Parent, FieldDescriptor Field)[] numbers =
            [.. Fields(valid, _ => _, "").Where(field => field.Field.FieldType == FieldType.UInt32 && s_related.Contains(field.Field.ContainingType))];
        foreach ((int first, int second) in from one in Enumerable.Range(0, numbers.Length) from other in Enumerable.Range(0, one) select (one, other))
        {
            foreach ((int ofFirst, int ofSecond) in ((int, int)[])[(1, 1), (-1, -1), (1, -1)])
            {
                ConnectionSnapshot variant = valid.Clone();
                Add(numbers[first], variant, ofFirst);
                Add(numbers[second], variant, ofSecond);
                yield return ($"{numbers[first].Path} {ofFirst:+0;-0}, {numbers[second].Path} {ofSecond:+0;-0}", variant);
            }
        }

        static void Add((string Path, Func<ConnectionSnapshot, IMessage> Parent, FieldDescriptor Field) number, ConnectionSnapshot variant, int difference)
        {
            IMessage parent = number.Parent(variant);
            number.Field.Accessor.SetValue(parent, unchecked((uint)number.Field.Accessor.GetValue(parent) + (uint)difference));
        }
    }

    // The same connection elsewhere in the sequence space: its queues cross the ends of the numbers.
    private static IEnumerable<(string Change, ConnectionSnapshot Message)> MovedNumbers(ConnectionSnapshot valid)
    {
        foreach (uint start in (uint[])[0, 1, int.MaxValue - 1, int.MaxValue, 1u << 31, uint.MaxValue - 1, uint.MaxValue])
        {
            ConnectionSnapshot sent = valid.Clone();
            uint shift = unchecked(start - valid.Send.Una);
            (sent.Send.Una, sent.Send.Nxt, sent.Send.WriteSeq) = unchecked((valid.Send.Una + shift, valid.Send.Nxt + shift, valid.Send.WriteSeq + shift));
            yield return ($"send numbers from {start}", sent);
            ConnectionSnapshot received = valid.Clone();
            shift = unchecked(start - valid.Receive.Nxt);
            (received.Receive.Nxt, received.Window.RcvWup, received.Window.SndWl1) = unchecked((valid.Receive.Nxt + shift, valid.Window.RcvWup + shift, valid.Window.SndWl1 + shift));
            yield return ($"receive numbers from {start}", received);
        }
    }

    private static IEnumerable<(string Path, Func<ConnectionSnapshot, IMessage> Parent, FieldDescriptor Field)> Fields(
        IMessage message, Func<ConnectionSnapshot, IMessage> find, string path)
    {
        foreach (FieldDescriptor field in message.Descriptor.Fields.InFieldNumberOrder())
        {
            yield return ($"{path}{field.Name}", find, field);
            if (field.FieldType != FieldType.Message || field.Accessor.GetValue(message) is not IMessage inner)
                continue;
            foreach ((string, Func<ConnectionSnapshot, IMessage>, FieldDescriptor) one in Fields(inner, snapshot => (IMessage)field.Accessor.GetValue(find(snapshot)), $"{path}{field.Name}."))
                yield return one;
        }
    }

    private static IEnumerable<object?> Values(FieldDescriptor field, object? present) => field.FieldType switch
    {
        FieldType.Bool => [!(bool)present!],
        FieldType.UInt32 => Around((uint)present!).Where(value => value <= uint.MaxValue).Select(value => (object)(uint)value),
        FieldType.UInt64 => Around((ulong)present!).Select(value => (object)value),
        FieldType.Int32 => Around(unchecked((ulong)(int)present!)).Select(value => (object)unchecked((int)value)).Distinct(),
        FieldType.Int64 => Around(unchecked((ulong)(long)present!)).Select(value => (object)unchecked((long)value)),
        FieldType.Enum => Enumerable.Range(-1, 16).Append(int.MaxValue).Append(int.MinValue).Select(value => Enum.ToObject(field.EnumType.ClrType, value)),
        FieldType.String => s_texts,
        FieldType.Bytes => Bytes((ByteString)present!),
        FieldType.Message => (IEnumerable<object?>)[null, field.MessageType.Parser.ParseFrom(ByteString.Empty)],
        _ => throw new NotSupportedException($"{field.FullName} is a {field.FieldType}: say here what its edges are."),
    };

    private static IEnumerable<ulong> Around(ulong present) => s_edges.Append(unchecked(present - 1)).Append(unchecked(present + 1)).Where(value => value != present).Distinct();

    private static IEnumerable<ByteString> Bytes(ByteString present)
    {
        foreach (int length in (int[])[0, 1, 3, 4, 5, 15, 16, 17, present.Length - 1, present.Length + 1])
        {
            if (length < 0)
                continue;
            yield return ByteString.CopyFrom(new byte[length]);
            yield return ByteString.CopyFrom([.. Enumerable.Repeat(byte.MaxValue, length)]);
            yield return ByteString.CopyFrom([.. Enumerable.Range(0, length).Select(i => i < present.Length ? present[i] : (byte)i)]);
        }

        foreach (string address in (string[])["127.0.0.1", "10.0.0.1", "224.0.0.1", "169.254.1.1", "::1", "fe80::1", "ff02::1", "::ffff:10.0.0.1", "::ffff:0:0", "64:ff9b::a00:1"])
            yield return ByteString.CopyFrom(System.Net.IPAddress.Parse(address).GetAddressBytes());
        yield return s_tooLarge;
    }

    private static string Text(object? value) => value switch
    {
        null => "absent",
        ByteString bytes => $"{bytes.Length} bytes {Convert.ToHexString(bytes.Span[..Math.Min(16, bytes.Length)])}",
        string text => $"'{text[..Math.Min(20, text.Length)]}'",
        IMessage => "empty",
        Enum number => $"{Convert.ToInt32(number, System.Globalization.CultureInfo.InvariantCulture)}",
        _ => $"{value}",
    };
}
