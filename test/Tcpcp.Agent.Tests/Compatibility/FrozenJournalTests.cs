using System.Runtime.CompilerServices;
using Google.Protobuf;
using Tcpcp.Agent.Journal;
using Tcpcp.Core.Wire;

namespace Tcpcp.Agent.Tests.Compatibility;

/// <summary>A journal of version 1.0 (<c>test/Golden/1.0</c>): an agent that is upgraded goes on with its passes.</summary>
public sealed class FrozenJournalTests : IDisposable
{
    private const int Records = 4;

    private readonly string _directory = Directory.CreateDirectory($"/dev/shm/tcpcp-test-{Guid.NewGuid():N}").FullName;

    [Fact]
    public void A_journal_of_version_1_0_is_read_field_by_field()
    {
        if (!string.IsNullOrEmpty(Environment.GetEnvironmentVariable("TCPCP_FREEZE")) && !File.Exists(PathOf("journal")))
            Freeze();
        File.Copy(PathOf("journal"), Path.Combine(_directory, "journal"));
        using FileJournal journal = FileJournal.Open(_directory);
        Assert.Null(journal.Damage);
        Assert.Equal(File.ReadAllLines(PathOf("journal.txt")), LinesOf(journal));
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private static IEnumerable<string> LinesOf(FileJournal journal) =>
    [
        $"incarnation {journal.Incarnation}", $"next ticket {journal.TakeTicketNumber()}", .. journal.ReadAtStart().Select(record => JsonFormatter.Default.Format(record)),
    ];

    private void Freeze()
    {
        string directory = Path.Combine(_directory, "new");
        using (FileJournal journal = FileJournal.Open(directory))
        {
            for (int i = 0; i < 6; i++)
                journal.TakeTicketNumber();
            JournalStep[] steps = [JournalStep.Begun, JournalStep.Sending, JournalStep.Offered, JournalStep.Accepted];
            for (int i = 0; i < Records; i++)
                journal.Append(NewRecord(i, steps[i]));
            journal.Append(new JournalRecord { PassId = IdOf(2), Side = JournalSide.Destination, Step = JournalStep.Refused, Ticket = new Ticket { Incarnation = IdOf(9), Number = 7 } });
            journal.Append(new JournalRecord { PassId = IdOf(0), Side = JournalSide.Origin, Step = JournalStep.Done });
        }

        File.Copy(Path.Combine(directory, "journal"), PathOf("journal"));
        using FileJournal read = FileJournal.Open(directory);
        File.WriteAllLines(PathOf("journal.txt"), LinesOf(read));
    }

    private static JournalRecord NewRecord(int number, JournalStep step) => new()
    {
        PassId = IdOf(number),
        Side = step < JournalStep.Offered ? JournalSide.Origin : JournalSide.Destination,
        Step = step,
        Ticket = new Ticket { Incarnation = IdOf(9), Number = (ulong)number + 1 },
        Epoch = 3,
        Application = "echo",
        Destination = "host-b",
        OriginName = "host-a",
        OriginIncarnation = IdOf(8),
        Home = "*",
        StoodStillSinceNs = 12345,
        ApplicationState = ByteString.CopyFromUtf8("state"),
        Holder = new ProcessHolder { ProcessId = 17, StartTime = 18, SocketNumber = 3, WasStopped = true },
        Connections = { new FourTuple { Local = new EndPoint { Address = ByteString.CopyFrom([192, 0, 2, 1]), Port = 80 }, Peer = new EndPoint { Address = ByteString.CopyFrom([192, 0, 2, 9]), Port = 5000 } } },
        Snapshots = { ConnectionSnapshot.Parser.ParseFrom(File.ReadAllBytes(PathOf("snapshot-ipv4.bin"))) },
        Options = { ConnectionSnapshot.Parser.ParseFrom(File.ReadAllBytes(PathOf("snapshot-closing.bin"))).Options },
    };

    private static ByteString IdOf(int number) => ByteString.CopyFrom([.. Enumerable.Range(number, 16).Select(one => (byte)one)]);

    private static string PathOf(string file, [CallerFilePath] string here = "") => Path.Combine(Path.GetDirectoryName(here)!, "../../Golden/1.0", file);
}
