using System.Globalization;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Tcpcp.Core.Tests.Compatibility;

/// <summary>Reads bytes as a program of version 1.0 would: by the frozen descriptors alone.</summary>
internal static class FrozenFields
{
    /// <summary>Every value with its path. Numbers that are not known are passed over, as any reader does.</summary>
    /// <exception cref="InvalidProtocolBufferException">A known field has another wire type.</exception>
    public static IReadOnlyDictionary<string, string> Read(MessageDescriptor type, byte[] bytes)
    {
        Dictionary<string, string> values = new(StringComparer.Ordinal);
        Read(type, new CodedInputStream(bytes), "", values);
        return values;
    }

    private static void Read(MessageDescriptor type, CodedInputStream input, string path, Dictionary<string, string> values)
    {
        Dictionary<int, int> seen = [];
        for (uint tag = input.ReadTag(); tag != 0; tag = input.ReadTag())
        {
            int number = WireFormat.GetTagFieldNumber(tag);
            WireFormat.WireType wireType = WireFormat.GetTagWireType(tag);
            if (type.FindFieldByNumber(number) is not { } field)
            {
                input.SkipLastField();
                continue;
            }

            if (field.IsRepeated && WireTypeOf(field.FieldType) != WireFormat.WireType.LengthDelimited && wireType == WireFormat.WireType.LengthDelimited)
            {
                CodedInputStream packed = input.ReadBytes().CreateCodedInput();
                while (!packed.IsAtEnd)
                    Add(field, packed);
                continue;
            }

            if (wireType != WireTypeOf(field.FieldType))
                throw new InvalidOperationException($"{path}{field.Name} has wire type {wireType}; version 1.0 has {WireTypeOf(field.FieldType)}.");
            Add(field, input);
        }

        void Add(FieldDescriptor field, CodedInputStream from)
        {
            string at = field.IsRepeated ? $"{path}{field.Name}[{seen[field.FieldNumber] = seen.GetValueOrDefault(field.FieldNumber, -1) + 1}]" : $"{path}{field.Name}";
            if (field.FieldType == FieldType.Message)
                Read(field.MessageType, from.ReadBytes().CreateCodedInput(), at + ".", values);
            else
                values[at] = Value(field.FieldType, from);
        }
    }

    private static string Value(FieldType type, CodedInputStream input) => type switch
    {
        FieldType.Bool => input.ReadBool().ToString(),
        FieldType.UInt32 => input.ReadUInt32().ToString(CultureInfo.InvariantCulture),
        FieldType.Int32 or FieldType.Enum => input.ReadInt32().ToString(CultureInfo.InvariantCulture),
        FieldType.UInt64 => input.ReadUInt64().ToString(CultureInfo.InvariantCulture),
        FieldType.Int64 => input.ReadInt64().ToString(CultureInfo.InvariantCulture),
        FieldType.Fixed64 => input.ReadFixed64().ToString(CultureInfo.InvariantCulture),
        FieldType.String => input.ReadString(),
        FieldType.Bytes => Convert.ToHexString(input.ReadBytes().Span),
        _ => throw new NotSupportedException($"Version 1.0 has no {type}."),
    };

    private static WireFormat.WireType WireTypeOf(FieldType type) => type switch
    {
        FieldType.String or FieldType.Bytes or FieldType.Message => WireFormat.WireType.LengthDelimited,
        FieldType.Fixed64 => WireFormat.WireType.Fixed64,
        _ => WireFormat.WireType.Varint,
    };
}
