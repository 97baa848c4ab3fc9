using System.Buffers.Binary;
using System.Security.Cryptography;
using Google.Protobuf;
using Tcpcp.Core;
using Tcpcp.Fuzz.Fuzzing;

namespace Tcpcp.Fuzz.Targets;

/// <summary>A saved connection. The input's fields: 1 the content, which gets a good header and hash, 2 its flags, 3 its minor version; or 4 the file as it is.</summary>
internal sealed class SavedFileTarget : FuzzTarget
{
    public override string Name => "saved-file";

    public override IEnumerable<byte[]> Seeds()
    {
        foreach (Core.Wire.ConnectionSnapshot snapshot in Samples.Snapshots())
        {
            SnapshotFile file = new(SnapshotWire.FromMessage(snapshot), SavedConnectionKind.Released, DateTimeOffset.UnixEpoch.AddYears(50), "host");
            byte[] bytes = file.Encode();
            yield return WireFields.Write([WireField.Of(1, bytes[SnapshotFile.HeaderBytes..^SHA256.HashSizeInBytes]), WireField.Of(2, 1)]);
            yield return WireFields.Write([WireField.Of(4, bytes)]);
        }
    }

    public override void Run(byte[] input)
    {
        if (WireFields.Read(input) is not { } fields)
            return;
        byte[] file = fields.LastOrDefault(field => field is { Number: 4, Type: 2 }).Content ?? FileOf(fields);
        try
        {
            SnapshotFile read = SnapshotFile.Decode(file);
            _ = (read.CapturedAt, read.Host);
            SnapshotFile again = SnapshotFile.Decode(read.Encode());
            if (again.Kind != read.Kind || again.CapturedAt != read.CapturedAt || again.Snapshot.Connection != read.Snapshot.Connection)
                throw new InvalidOperationException("A file is another one after it was read and written.");
        }
        catch (InvalidSnapshotException)
        {
            // Refused.
        }
        catch (SnapshotKeyException)
        {
            Decrypt(file);
        }
    }

    // What says that it is encrypted.
    private static void Decrypt(byte[] file)
    {
        using SnapshotKey key = SnapshotKey.OfBytes(new byte[SnapshotKey.KeyBytes]);
        try
        {
            _ = SnapshotFile.Decode(file, key: key);
        }
        catch (Exception e) when (e is InvalidSnapshotException or SnapshotKeyException)
        {
            // Refused.
        }
    }

    private static byte[] FileOf(List<WireField> fields)
    {
        byte[] content = fields.LastOrDefault(field => field is { Number: 1, Type: 2 }).Content ?? [];
        byte[] file = new byte[SnapshotFile.HeaderBytes + content.Length + SHA256.HashSizeInBytes];
        ((ReadOnlySpan<byte>)[0x89, (byte)'T', (byte)'C', (byte)'P', (byte)'C', (byte)'P', (byte)'\r', (byte)'\n']).CopyTo(file);
        BinaryPrimitives.WriteUInt16BigEndian(file.AsSpan(8), SnapshotFile.VersionMajor);
        BinaryPrimitives.WriteUInt16BigEndian(file.AsSpan(10), (ushort)fields.LastOrDefault(field => field.Number == 3).Value);
        BinaryPrimitives.WriteUInt32BigEndian(file.AsSpan(12), (uint)fields.LastOrDefault(field => field.Number == 2).Value);
        BinaryPrimitives.WriteInt64BigEndian(file.AsSpan(16), content.Length);
        content.CopyTo(file, SnapshotFile.HeaderBytes);
        SHA256.HashData(file.AsSpan(..^SHA256.HashSizeInBytes), file.AsSpan(file.Length - SHA256.HashSizeInBytes));
        return file;
    }
}
