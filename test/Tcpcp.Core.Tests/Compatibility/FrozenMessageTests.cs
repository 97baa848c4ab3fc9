using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Tcpcp.Core.Tests.Compatibility;

/// <summary>What version 1.0 has written is read for ever, and what is written today can be read by version 1.0.</summary>
public class FrozenMessageTests
{
    // What has come later is not frozen yet.
    public static TheoryData<string> Files => [.. FrozenMessages.Descriptors().Select(file => file.Name)];

    [Theory]
    [MemberData(nameof(Files))]
    public void A_proto_file_only_grows(string file)
    {
        FileDescriptorProto frozen = FrozenMessages.Descriptors().Single(one => one.Name == file).ToProto();
        FileDescriptorProto present = FrozenMessages.Present.Single(one => one.Name == file).ToProto();
        Assert.Empty(ProtoChanges.Between(frozen, present));
    }

    [Fact]
    public void No_proto_file_is_left_out() => Assert.Equal(
        Architecture.SourceTree.Files("*.proto", "proto").Select(file => Path.GetRelativePath("proto", file)).Order(StringComparer.Ordinal),
        FrozenMessages.Present.Select(file => file.Name).Order(StringComparer.Ordinal));

    [Fact]
    public void Every_message_of_version_1_0_is_read_field_by_field()
    {
        HashSet<string> read = [];
        foreach ((string name, byte[] bytes, string json) in FrozenMessages.Samples())
        {
            Assert.Equal(json, JsonFormatter.Default.Format(FrozenMessages.ParserOf(name).ParseFrom(bytes)));
            read.Add(name);
        }

        Assert.Equal(FrozenMessages.Descriptors().SelectMany(file => file.MessageTypes).Select(type => type.FullName).Order(StringComparer.Ordinal), read.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void What_is_written_today_is_read_by_version_1_0()
    {
        Dictionary<string, MessageDescriptor> frozen = FrozenMessages.Descriptors().SelectMany(file => file.MessageTypes).ToDictionary(type => type.FullName, StringComparer.Ordinal);
        foreach ((string name, byte[] bytes, _) in FrozenMessages.Samples())
        {
            byte[] today = FrozenMessages.ParserOf(name).ParseFrom(bytes).ToByteArray();
            IReadOnlyDictionary<string, string> expected = FrozenFields.Read(frozen[name], bytes);
            Assert.NotEmpty(bytes.Length == 0 ? ["empty"] : expected.Keys);
            Assert.Equal(expected, FrozenFields.Read(frozen[name], today));
        }

        // Fields that are newer do not hide what version 1.0 knows.
        foreach (MessageDescriptor type in FrozenMessages.Present.SelectMany(file => file.MessageTypes).Where(type => frozen.ContainsKey(type.FullName)))
        {
            foreach (IMessage message in SampleMessages.Of(type))
            {
                IReadOnlyDictionary<string, string> known = FrozenFields.Read(frozen[type.FullName], message.ToByteArray());
                Assert.All(frozen[type.FullName].Fields.InFieldNumberOrder().Where(field => field.ContainingOneof is null),
                    field => Assert.Contains(known.Keys, path => path.Split('.', '[')[0] == field.Name || field.FieldType == FieldType.Message));
            }
        }
    }

    [Theory]
    [InlineData("renamed")]
    [InlineData("renumbered")]
    [InlineData("of another type")]
    [InlineData("removed")]
    [InlineData("repeated")]
    public void A_field_that_has_changed_is_found(string change)
    {
        FileDescriptorProto frozen = FrozenMessages.Descriptors()[0].ToProto();
        FileDescriptorProto present = frozen.Clone();
        FieldDescriptorProto field = present.MessageType[1].Field[3];
        if (change == "renamed")
            field.Name = "other";
        else if (change == "renumbered")
            field.Number = 900;
        else if (change == "of another type")
            field.Type = FieldDescriptorProto.Types.Type.String;
        else if (change == "removed")
            present.MessageType[1].Field.Remove(field);
        else
            field.Label = FieldDescriptorProto.Types.Label.Repeated;
        Assert.NotEmpty(ProtoChanges.Between(frozen, present));
    }
}
