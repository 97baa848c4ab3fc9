using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Tcpcp.Core.Tests.Compatibility;

/// <summary>Messages in which every field is set, to different values.</summary>
internal static class SampleMessages
{
    /// <summary>One for each choice of a oneof.</summary>
    public static IEnumerable<IMessage> Of(MessageDescriptor type)
    {
        OneofDescriptor? oneof = type.RealOneofCount > 0 ? type.Oneofs[0] : null;
        foreach (FieldDescriptor? choice in oneof?.Fields ?? (IEnumerable<FieldDescriptor?>)[null])
        {
            int counter = 0;
            yield return Filled(type, choice, ref counter);
        }
    }

    private static IMessage Filled(MessageDescriptor type, FieldDescriptor? choice, ref int counter)
    {
        IMessage message = type.Parser.ParseFrom(ByteString.Empty);
        foreach (FieldDescriptor field in type.Fields.InFieldNumberOrder().Where(field => field.ContainingOneof is null || field == choice))
        {
            counter++;
            if (field.IsRepeated)
            {
                System.Collections.IList list = (System.Collections.IList)field.Accessor.GetValue(message);
                list.Add(Value(field, ref counter));
                list.Add(Value(field, ref counter));
            }
            else
            {
                field.Accessor.SetValue(message, Value(field, ref counter));
            }
        }

        return message;
    }

    private static object Value(FieldDescriptor field, ref int counter)
    {
        counter++;
        return field.FieldType switch
        {
            FieldType.Bool => true,
            FieldType.UInt32 => uint.MaxValue - (uint)counter,
            FieldType.Int32 => -counter,
            FieldType.UInt64 or FieldType.Fixed64 => ulong.MaxValue - (ulong)counter,
            FieldType.Int64 => long.MinValue + counter,
            FieldType.String => $"text {counter} é",
            FieldType.Bytes => ByteString.CopyFrom([0, 255, (byte)counter]),
            FieldType.Enum => Enum.ToObject(field.EnumType.ClrType, field.EnumType.Values[^1].Number),
            FieldType.Message => Filled(field.MessageType, null, ref counter),
            _ => throw new NotSupportedException($"{field.FullName} is a {field.FieldType}: say here what a sample of it is."),
        };
    }
}
