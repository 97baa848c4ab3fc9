using Google.Protobuf;
using Google.Protobuf.Reflection;
using Tcpcp.Core.Wire;

namespace Tcpcp.Agent.Tests.Compatibility;

/// <summary>What a newer version may send: fields that this one does not know, in a message and in all that is in it.</summary>
internal static class NewerFields
{
    private const int Number = 15_000; // beyond all that there will be soon

    private static readonly byte[] s_fields = Fields();

    /// <summary>Their bytes are found in a message of any kind that has them.</summary>
    public static bool AreIn(IMessage message) => message.ToByteArray().AsSpan().IndexOf(s_fields) >= 0;

    public static T AddTo<T>(T message)
        where T : IMessage
    {
        foreach (FieldDescriptor field in message.Descriptor.Fields.InFieldNumberOrder().Where(field => field.FieldType == FieldType.Message))
        {
            if (field.IsRepeated)
            {
                foreach (IMessage one in (System.Collections.IList)field.Accessor.GetValue(message))
                    AddTo(one);
            }
            else if (field.Accessor.GetValue(message) is IMessage inner)
            {
                AddTo(inner);
            }
        }

        message.MergeFrom(s_fields);
        return message;
    }

    // One of each wire type.
    private static byte[] Fields()
    {
        using MemoryStream stream = new();
        using (CodedOutputStream output = new(stream, leaveOpen: true))
        {
            output.WriteTag(Number, WireFormat.WireType.Varint);
            output.WriteUInt64(ulong.MaxValue);
            output.WriteTag(Number + 1, WireFormat.WireType.LengthDelimited);
            output.WriteString("newer");
            output.WriteTag(Number + 2, WireFormat.WireType.Fixed64);
            output.WriteFixed64(7);
            output.WriteTag(Number + 3, WireFormat.WireType.Fixed32);
            output.WriteFixed32(7);
        }

        return stream.ToArray();
    }
}
