using System.Globalization;
using Google.Protobuf;
using Tcpcp.Core.Tests.Snapshot;

namespace Tcpcp.Core.Tests.Compatibility;

/// <summary>Snapshots and a saved connection of version 1.0.</summary>
public class FrozenSnapshotTests
{
    public static TheoryData<string> Names => [.. SampleSnapshots.All.Select(sample => sample.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_snapshot_of_version_1_0_is_read_field_by_field(string name)
    {
        byte[] bytes = File.ReadAllBytes(FrozenMessages.PathOf($"snapshot-{name}.bin"));
        ConnectionSnapshot read = SnapshotWire.FromMessage(Wire.ConnectionSnapshot.Parser.ParseFrom(bytes));
        Assert.Null(SnapshotValidator.FindFault(read));
        AssertAsExpected(name, read);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void The_same_snapshot_is_written_so_that_version_1_0_reads_it(string name)
    {
        byte[] frozen = File.ReadAllBytes(FrozenMessages.PathOf($"snapshot-{name}.bin"));
        byte[] written = SnapshotWire.ToMessage(SnapshotWire.FromMessage(Wire.ConnectionSnapshot.Parser.ParseFrom(frozen))).ToByteArray();
        Google.Protobuf.Reflection.MessageDescriptor type = FrozenMessages.Descriptors().SelectMany(file => file.MessageTypes).Single(one => one.Name == nameof(ConnectionSnapshot));
        Assert.Equal(FrozenFields.Read(type, frozen), FrozenFields.Read(type, written));
    }

    [Fact]
    public void A_saved_connection_of_version_1_0_is_read_field_by_field()
    {
        SnapshotFile read = SnapshotFile.Decode(File.ReadAllBytes(FrozenMessages.PathOf("saved.tcpcp")));
        Assert.Equal((SavedConnectionKind.Released, SampleSnapshots.SavedAt, "alpha"), (read.Kind, read.CapturedAt, read.Host));
        AssertAsExpected(SampleSnapshots.Saved, read.Snapshot);
    }

    internal static IEnumerable<string> LinesOf(ConnectionSnapshot snapshot) => SnapshotLeaves.Of(snapshot).Select(leaf => string.Create(CultureInfo.InvariantCulture, $"{leaf.Key} = {leaf.Value}"));

    // Properties that came later are not among the lines.
    private static void AssertAsExpected(string name, ConnectionSnapshot read) =>
        Assert.Empty(File.ReadLines(FrozenMessages.PathOf($"snapshot-{name}.txt")).Except(LinesOf(read), StringComparer.Ordinal));
}
