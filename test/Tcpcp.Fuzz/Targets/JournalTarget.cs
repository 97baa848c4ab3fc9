using System.Buffers.Binary;
using System.Numerics;
using Google.Protobuf;
using Tcpcp.Agent.Journal;
using Tcpcp.Core;
using Tcpcp.Core.Wire;
using Tcpcp.Fuzz.Fuzzing;

namespace Tcpcp.Fuzz.Targets;

/// <summary>
/// A journal that an agent finds at its start. The input's fields: 1 records, which get good checksums, 2 the last ticket, 3 bytes behind the records; or 4 the file as it is.
/// </summary>
internal sealed class JournalTarget : FuzzTarget
{
    private readonly string _directory = $"/dev/shm/tcpcp-fuzz-{Guid.NewGuid():N}";

    public override string Name => "journal";

    public override IEnumerable<byte[]> Seeds()
    {
        byte[][] records = [.. Records().Select(record => record.ToByteArray())];
        yield return WireFields.Write([.. records.Select(record => WireField.Of(1, record)), WireField.Of(2, 9)]);
        yield return WireFields.Write([WireField.Of(4, FileOf([WireField.Of(1, records[0])]))]);
        foreach (byte[] record in records)
            yield return WireFields.Write([WireField.Of(1, record), WireField.Of(3, [0, 0, 0, 9])]);
    }

    public override void Run(byte[] input)
    {
        if (WireFields.Read(input) is not { } fields)
            return;
        Directory.CreateDirectory(_directory);
        File.WriteAllBytes(Path.Combine(_directory, "journal"), fields.LastOrDefault(field => field is { Number: 4, Type: 2 }).Content ?? FileOf(fields));
        try
        {
            Guid incarnation;
            int count;
            PassId added = PassId.New();
            using (FileJournal journal = FileJournal.Open(_directory))
            {
                (incarnation, count) = (journal.Incarnation, journal.ReadAtStart().Count);
                foreach (JournalRecord record in journal.ReadAtStart())
                    Understand(record);
                journal.TakeTicketNumber();
                journal.Append(new JournalRecord { PassId = ByteString.CopyFrom(added.Value.ToByteArray()), Side = JournalSide.Origin, Step = JournalStep.Begun });
            }

            using FileJournal next = FileJournal.Open(_directory);
            if (next.Damage is not null || next.Incarnation != incarnation || next.ReadAtStart().Count != count + 1)
                throw new InvalidOperationException($"The next agent finds another journal: {next.Damage}");
        }
        finally
        {
            Directory.Delete(_directory, recursive: true);
        }
    }

    // What a new agent asks of a record before it acts on it.
    private static void Understand(JournalRecord record)
    {
        try
        {
            JournalRecords.TermsOf(record);
            JournalRecords.OutcomeOf(record);
            if (record.Side == JournalSide.Origin)
                JournalRecords.OriginKindOf(record);
            if (record.Side == JournalSide.Destination)
                JournalRecords.DestinationKindOf(record);
            foreach (Core.Wire.FourTuple connection in record.Connections)
                EndPointWire.FromMessage(connection);
            foreach (Core.Wire.ConnectionSnapshot snapshot in record.Snapshots)
                SnapshotValidator.FindFault(SnapshotWire.FromMessage(snapshot));
            foreach (SocketOptions options in record.Options)
                SocketOptionsWire.FromMessage(options);
        }
        catch (Exception e) when (e is InvalidDataException or InvalidSnapshotException)
        {
            // Refused.
        }
    }

    private static IEnumerable<JournalRecord> Records()
    {
        foreach (JournalStep step in Enum.GetValues<JournalStep>())
        {
            JournalRecord record = new()
            {
                PassId = Samples.Id,
                Side = (int)step < 10 ? JournalSide.Origin : (int)step < 20 ? JournalSide.Destination : JournalSide.Home,
                Step = step,
                Ticket = Samples.Ticket,
                Epoch = 3,
                Application = "echo",
                Destination = "host-b",
                OriginName = "host-a",
                Home = "*",
                Owner = PassOwner.Destination,
                Failure = "NotPassable",
                Holder = new ProcessHolder { ProcessId = 17, SocketNumber = 3 },
                Connections = { Samples.Tuple },
            };
            if (step is JournalStep.Sending or JournalStep.Accepted)
                record.Snapshots.Add(Samples.Snapshots().First());
            yield return record;
        }
    }

    private static byte[] FileOf(List<WireField> fields)
    {
        using MemoryStream file = new();
        Span<byte> header = stackalloc byte[40];
        ((ReadOnlySpan<byte>)[0x89, (byte)'T', (byte)'C', (byte)'P', (byte)'J', (byte)'R', (byte)'N', (byte)'\n']).CopyTo(header);
        header[9] = 1;
        Samples.Id.Span.CopyTo(header[12..]);
        BinaryPrimitives.WriteUInt64BigEndian(header[28..], fields.LastOrDefault(field => field.Number == 2).Value);
        BinaryPrimitives.WriteUInt32BigEndian(header[36..], Checksum(header[..36]));
        file.Write(header);
        Span<byte> prefix = stackalloc byte[12];
        foreach (WireField record in fields.Where(field => field is { Number: 1, Type: 2 }))
        {
            BinaryPrimitives.WriteInt32BigEndian(prefix, record.Content.Length);
            BinaryPrimitives.WriteUInt32BigEndian(prefix[4..], Checksum(prefix[..4]));
            BinaryPrimitives.WriteUInt32BigEndian(prefix[8..], Checksum(record.Content));
            file.Write(prefix);
            file.Write(record.Content);
        }

        file.Write(fields.LastOrDefault(field => field is { Number: 3, Type: 2 }).Content ?? []);
        return file.ToArray();
    }

    private static uint Checksum(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
        foreach (byte one in bytes)
            crc = BitOperations.Crc32C(crc, one);
        return ~crc;
    }
}
