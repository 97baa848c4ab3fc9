using Google.Protobuf;
using Google.Protobuf.Reflection;
using Tcpcp.Core.Tests.Architecture;

namespace Tcpcp.Core.Tests.Compatibility;

/// <summary>Version 1.0 of all messages, as it was when it was frozen: <c>test/Golden/1.0</c>. These files never change.</summary>
internal static class FrozenMessages
{
    public const string Folder = "test/Golden/1.0";

    /// <summary>The files of proto/tcpcp/v1.</summary>
    public static IReadOnlyList<FileDescriptor> Present { get; } =
    [
        Wire.ConnectionReflection.Descriptor, Wire.PassingReflection.Descriptor, Wire.JournalReflection.Descriptor, Wire.LocalReflection.Descriptor,
        Wire.RedirectionReflection.Descriptor, Wire.SavedReflection.Descriptor, Wire.RelayReflection.Descriptor, Wire.AspnetcoreReflection.Descriptor,
    ];

    public static string PathOf(string file) => Path.Combine(SourceTree.Root, Folder, file);

    /// <summary>The frozen files, in an order in which each comes behind those that it imports.</summary>
    public static IReadOnlyList<FileDescriptor> Descriptors() => FileDescriptor.BuildFromByteStrings(
        FileDescriptorSet.Parser.ParseFrom(File.ReadAllBytes(PathOf("descriptors.binpb"))).File.Select(file => file.ToByteString()));

    /// <summary>Every message of version 1.0 with all its fields set, one for each choice of a oneof: its name, its bytes, and what they mean as JSON.</summary>
    public static IEnumerable<(string Name, byte[] Bytes, string Json)> Samples() => File.ReadLines(PathOf("messages.tsv")).Select(line => line.Split('\t'))
        .Select(parts => (parts[0], Convert.FromHexString(parts[1]), parts[2]));

    public static MessageParser ParserOf(string name) => Present.SelectMany(file => file.MessageTypes).Single(type => type.FullName == name).Parser;
}
