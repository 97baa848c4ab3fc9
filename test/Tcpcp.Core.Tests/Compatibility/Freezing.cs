using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Tcpcp.Core.Tests.Compatibility;

/// <summary>Writes the files of a version that is being frozen: with <c>TCPCP_FREEZE=1</c>, and those alone that are not there.</summary>
public class Freezing
{
    [Fact]
    public void What_is_not_frozen_yet_is_written_when_that_is_wanted()
    {
        Assert.SkipWhen(string.IsNullOrEmpty(Environment.GetEnvironmentVariable("TCPCP_FREEZE")), "It runs with TCPCP_FREEZE=1.");
        FileDescriptorSet files = new();
        files.File.Add(FrozenMessages.Present.Select(file => file.ToProto()));
        Write("descriptors.binpb", files.ToByteArray());
        Write("messages.tsv", System.Text.Encoding.UTF8.GetBytes(string.Concat(FrozenMessages.Present.SelectMany(file => file.MessageTypes).SelectMany(SampleMessages.Of)
            .Select(message => $"{message.Descriptor.FullName}\t{Convert.ToHexStringLower(message.ToByteArray())}\t{JsonFormatter.Default.Format(message)}\n"))));
        foreach ((string name, ConnectionSnapshot snapshot) in SampleSnapshots.All)
        {
            Assert.Null(SnapshotValidator.FindFault(snapshot));
            Write($"snapshot-{name}.bin", SnapshotWire.ToMessage(snapshot).ToByteArray());
            Write($"snapshot-{name}.txt", System.Text.Encoding.UTF8.GetBytes(string.Join('\n', FrozenSnapshotTests.LinesOf(snapshot)) + "\n"));
        }

        ConnectionSnapshot saved = SampleSnapshots.All.Single(sample => sample.Name == SampleSnapshots.Saved).Snapshot;
        Write("saved.tcpcp", new SnapshotFile(saved, SavedConnectionKind.Released, SampleSnapshots.SavedAt, "alpha").Encode());
    }

    private static void Write(string file, byte[] bytes)
    {
        Directory.CreateDirectory(FrozenMessages.PathOf(""));
        if (!File.Exists(FrozenMessages.PathOf(file)))
            File.WriteAllBytes(FrozenMessages.PathOf(file), bytes);
    }
}
