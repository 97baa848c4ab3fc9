using System.Buffers.Binary;
using System.Security.Cryptography;
using CsCheck;
using Google.Protobuf;

namespace Tcpcp.Core.Tests.Snapshot;

public class SnapshotFileTests
{
    private const int HashBytes = 32;

    private static readonly DateTimeOffset s_capturedAt = new(2026, 7, 1, 12, 0, 0, 123, 456, TimeSpan.Zero);

    private static readonly byte[] s_example = File(Examples.Snapshot, SavedConnectionKind.Released).Encode();

    [Fact]
    public void Every_valid_snapshot_survives_the_file() => Gen.Select(Generators.Snapshot, Gen.Enum<SavedConnectionKind>()).Sample((snapshot, kind) =>
    {
        SnapshotFile read = SnapshotFile.Decode(File(snapshot, kind).Encode());
        Assert.Equal(SnapshotLeaves.Of(snapshot), SnapshotLeaves.Of(read.Snapshot));
        Assert.Equal((kind, s_capturedAt, "alpha"), (read.Kind, read.CapturedAt, read.Host));
    });

    [Fact]
    public void Every_change_of_a_single_byte_is_refused()
    {
        for (int place = 0; place < s_example.Length; place++)
        {
            for (int change = 1; change < 256; change++)
            {
                byte[] file = [.. s_example];
                file[place] ^= (byte)change;
                Assert.Throws<InvalidSnapshotException>(() => SnapshotFile.Decode(file));
            }
        }
    }

    [Fact]
    public void Every_truncation_is_refused_as_cut()
    {
        for (int length = 0; length < s_example.Length; length++)
            Assert.Contains("cut", Refused(s_example[..length]), StringComparison.Ordinal);
    }

    [Fact]
    public void Changes_and_truncations_of_any_snapshot_are_refused() =>
        Gen.Select(Generators.Snapshot, Gen.Double.Unit, Gen.Byte[1, 255], Gen.Int[1, 100]).Sample((snapshot, place, change, extension) =>
        {
            byte[] file = File(snapshot, SavedConnectionKind.Copy).Encode();
            int index = (int)(place * (file.Length - 1));
            Assert.Contains("cut", Refused(file[..index]), StringComparison.Ordinal);
            Assert.Contains($"{extension} bytes too many", Refused([.. file, .. new byte[extension]]), StringComparison.Ordinal);
            file[index] ^= change;
            Refused(file);
        });

    [Fact]
    public void Random_bytes_are_refused_by_name() => Gen.Byte.Array[1, 300].Sample(bytes => Refused(bytes));

    [Fact]
    public void A_foreign_file_is_refused_as_foreign() =>
        Assert.Contains("not a saved connection", Refused([.. "#!/bin/sh\n"u8, .. new byte[100]]), StringComparison.Ordinal);

    [Fact]
    public void A_file_whose_line_ends_were_converted_is_refused() =>
        Assert.Contains("not a saved connection", Refused([.. s_example[..6], (byte)'\n', .. s_example[8..]]), StringComparison.Ordinal);

    [Theory]
    [InlineData(0, 0)]
    [InlineData(2, 0)]
    [InlineData(2, 7)]
    public void Another_major_version_is_refused_and_both_versions_are_named(ushort major, ushort minor)
    {
        string message = Refused(Edited(s_example, header =>
        {
            BinaryPrimitives.WriteUInt16BigEndian(header[8..], major);
            BinaryPrimitives.WriteUInt16BigEndian(header[10..], minor);
        }));
        Assert.Contains($"version {major}.{minor}", message, StringComparison.Ordinal);
        Assert.Contains("reads 1.x", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_changed_byte_of_the_content_is_named_as_a_change() =>
        Assert.Contains("SHA-256", Refused([.. s_example[..100], (byte)(s_example[100] ^ 1), .. s_example[101..]]), StringComparison.Ordinal);

    [Fact]
    public void A_flag_that_is_not_known_is_refused() => Assert.Contains("flags",
        Refused(Edited(s_example, header => BinaryPrimitives.WriteUInt32BigEndian(header[12..], 5))), StringComparison.Ordinal);

    [Theory]
    [InlineData(1UL << 40)]
    [InlineData(ulong.MaxValue)]
    public void A_length_beyond_the_limit_is_refused_before_anything_is_read(ulong length) => Assert.Contains("too many",
        Refused(Edited(s_example, header => BinaryPrimitives.WriteUInt64BigEndian(header[16..], length))), StringComparison.Ordinal);

    [Fact]
    public void A_queue_beyond_the_limit_is_refused()
    {
        RepairWindow window = Examples.Snapshot.Window with { RcvWnd = 65535 };
        byte[] file = File(Examples.Snapshot with { Unread = new byte[2000], Window = window }, SavedConnectionKind.Copy).Encode();
        Assert.NotNull(SnapshotFile.Decode(file, maxQueueBytes: 2000));
        InvalidSnapshotException refused = Assert.Throws<InvalidSnapshotException>(() => SnapshotFile.Decode(file, 1999));
        Assert.Contains("limit is 1999", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_without_a_snapshot_and_one_that_is_not_protobuf_are_refused()
    {
        Assert.Contains("no snapshot", Refused(WithContent([])), StringComparison.Ordinal);
        Assert.Contains("not a snapshot", Refused(WithContent([0xFF, 0xFF])), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(-1L)]
    [InlineData(long.MaxValue)]
    public void A_time_that_is_none_is_refused(long microseconds) => Assert.Contains("no time", Refused(WithContent(
        new Wire.SavedConnection { Snapshot = SnapshotWire.ToMessage(Examples.Snapshot), CapturedAtUs = microseconds }.ToByteArray())), StringComparison.Ordinal);

    [Fact]
    public void What_a_newer_minor_version_added_survives_reading_and_writing()
    {
        byte[] unknownField = [0xC0, 0x3E, 0x07]; // field 1000, varint
        Wire.ConnectionSnapshot snapshot = SnapshotWire.ToMessage(Examples.Snapshot);
        snapshot.VersionMinor = 9;
        snapshot = Wire.ConnectionSnapshot.Parser.ParseFrom([.. snapshot.ToByteArray(), .. unknownField]);
        byte[] content = [.. new Wire.SavedConnection { Snapshot = snapshot, CapturedAtUs = 1, Host = "h" }.ToByteArray(), .. unknownField];
        byte[] file = Edited(WithContent(content), header => BinaryPrimitives.WriteUInt16BigEndian(header[10..], 9));
        Assert.Equal(file, SnapshotFile.Decode(file).Encode());
    }

    private static SnapshotFile File(ConnectionSnapshot snapshot, SavedConnectionKind kind) => new(snapshot, kind, s_capturedAt, "alpha");

    private static string Refused(byte[] file) => Assert.Throws<InvalidSnapshotException>(() => SnapshotFile.Decode(file)).Message;

    private static byte[] WithContent(byte[] content) => Edited([.. s_example[..SnapshotFile.HeaderBytes], .. content, .. new byte[HashBytes]],
        header => BinaryPrimitives.WriteInt64BigEndian(header[16..], content.Length));

    // As a writer would have made it: with the right SHA-256.
    private static byte[] Edited(byte[] file, SpanAction edit)
    {
        byte[] edited = [.. file];
        edit(edited);
        SHA256.HashData(edited.AsSpan(0, edited.Length - HashBytes), edited.AsSpan(edited.Length - HashBytes));
        return edited;
    }

    private delegate void SpanAction(Span<byte> header);
}
