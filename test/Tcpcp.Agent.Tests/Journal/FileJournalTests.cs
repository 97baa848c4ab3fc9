using Google.Protobuf;
using Tcpcp.Agent.Journal;
using Tcpcp.Core;
using Tcpcp.Core.Passing;
using Tcpcp.Core.Wire;

namespace Tcpcp.Agent.Tests.Journal;

/// <summary>The journal in a memory file system, as the next agent finds it.</summary>
public sealed class FileJournalTests : IDisposable
{
    private readonly string _directory = Directory.CreateDirectory($"/dev/shm/tcpcp-journal-{Guid.NewGuid():N}").FullName;

    private string FilePath => Path.Combine(_directory, "journal");

    [Fact]
    public void What_is_not_ended_is_found_again_each_pass_with_its_last_record_and_the_parts_of_those_before()
    {
        (PassId one, PassId two) = (PassId.New(), PassId.New());
        Guid incarnation;
        using (FileJournal journal = FileJournal.Open(_directory))
        {
            incarnation = journal.Incarnation;
            JournalRecord begun = JournalRecords.New(one, OriginRecord.Begun, TermsOf(journal, 7));
            begun.Application = "name";
            journal.Append(begun);
            journal.Append(JournalRecords.New(two, DestinationRecord.Offered, TermsOf(journal, 8)));
            JournalRecord sending = JournalRecords.New(one, OriginRecord.Sending, TermsOf(journal, 7));
            sending.ApplicationState = ByteString.CopyFrom(1, 2, 3);
            journal.Append(sending);
            journal.Append(JournalRecords.New(one, OriginRecord.Undoing, TermsOf(journal, 7)));
            journal.Append(JournalRecords.New(two, DestinationRecord.Forgotten, TermsOf(journal, 8)));
        }

        using FileJournal again = FileJournal.Open(_directory);
        Assert.Null(again.Damage);
        Assert.Equal(incarnation, again.Incarnation);
        JournalRecord record = Assert.Single(again.ReadAtStart());
        Assert.Equal((one, JournalStep.Undoing, "name", 3), (JournalRecords.IdOf(record), record.Step, record.Application, record.ApplicationState.Length));
    }

    [Theory]
    [InlineData(PassFailure.None, ConnectionOwner.Destination)]
    [InlineData(PassFailure.RefusedByApplication, ConnectionOwner.Origin)]
    [InlineData(PassFailure.Abandoned, ConnectionOwner.Nobody)]
    [InlineData(PassFailure.Interrupted, ConnectionOwner.InDoubt)]
    public void The_outcome_is_found_again_as_it_was_recorded(PassFailure failure, ConnectionOwner owner)
    {
        PassOutcome outcome = new(failure, owner);
        using (FileJournal journal = FileJournal.Open(_directory))
        {
            PassId pass = PassId.New();
            journal.Append(JournalRecords.New(pass, OriginRecord.Begun, TermsOf(journal, 7)));
            journal.Append(JournalRecords.New(pass, OriginRecord.Settled, TermsOf(journal, 7), outcome));
            journal.Append(JournalRecords.New(PassId.New(), OriginRecord.Begun, TermsOf(journal, 8)));
        }

        using FileJournal again = FileJournal.Open(_directory);
        Assert.Equal([outcome, null], again.ReadAtStart().Select(JournalRecords.OutcomeOf));
    }

    [Fact]
    public void A_ticket_that_was_given_is_never_given_again_even_when_its_pass_is_forgotten()
    {
        PassId pass = PassId.New();
        ulong given;
        using (FileJournal journal = FileJournal.Open(_directory))
        {
            given = journal.TakeTicketNumber();
            journal.Append(JournalRecords.New(pass, DestinationRecord.Offered, TermsOf(journal, given)));
            journal.Append(JournalRecords.New(pass, DestinationRecord.Forgotten, TermsOf(journal, given)));
        }

        FileJournal.Open(_directory).Dispose(); // leaves out what is ended
        using FileJournal again = FileJournal.Open(_directory);
        Assert.True(again.TakeTicketNumber() > given);
    }

    [Fact]
    public void A_last_record_that_was_not_written_to_its_end_is_cut_off()
    {
        (PassId whole, PassId torn) = (PassId.New(), PassId.New());
        long before, after;
        Guid incarnation;
        using (FileJournal journal = FileJournal.Open(_directory))
        {
            incarnation = journal.Incarnation;
            journal.Append(JournalRecords.New(whole, OriginRecord.Begun, TermsOf(journal, 1)));
            before = new FileInfo(FilePath).Length;
            journal.Append(JournalRecords.New(torn, OriginRecord.Begun, TermsOf(journal, 2)));
            after = new FileInfo(FilePath).Length;
        }

        byte[] content = File.ReadAllBytes(FilePath);
        for (long length = before; length < after; length++)
        {
            File.WriteAllBytes(FilePath, content[..(int)length]);
            using FileJournal journal = FileJournal.Open(_directory);
            Assert.Equal((null, incarnation), (journal.Damage, journal.Incarnation));
            Assert.Equal(whole, JournalRecords.IdOf(Assert.Single(journal.ReadAtStart())));
            PassId next = PassId.New();
            journal.Append(JournalRecords.New(next, OriginRecord.Begun, TermsOf(journal, 3)));
            journal.Append(JournalRecords.New(next, OriginRecord.Done, TermsOf(journal, 3)));
        }
    }

    [Fact]
    public void A_byte_that_has_changed_makes_it_a_new_incarnation_and_the_damaged_file_is_kept()
    {
        Guid incarnation;
        using (FileJournal journal = FileJournal.Open(_directory))
        {
            incarnation = journal.Incarnation;
            journal.Append(JournalRecords.New(PassId.New(), OriginRecord.Begun, TermsOf(journal, 1)));
            journal.Append(JournalRecords.New(PassId.New(), OriginRecord.Begun, TermsOf(journal, 2)));
        }

        byte[] content = File.ReadAllBytes(FilePath);
        for (int at = 0; at < content.Length; at++)
        {
            byte[] changed = [.. content];
            changed[at] ^= 0x10;
            File.WriteAllBytes(FilePath, changed);
            using FileJournal journal = FileJournal.Open(_directory);
            Assert.True(journal.Damage is not null, $"The byte at {at} has changed.");
            Assert.NotEqual(incarnation, journal.Incarnation);
            Assert.Empty(journal.ReadAtStart());
            Assert.NotEmpty(Directory.GetFiles(_directory, "journal.damaged-*"));
        }
    }

    [Fact]
    public void One_agent_has_it()
    {
        using FileJournal journal = FileJournal.Open(_directory);
        Assert.Contains("Another agent uses the journal", Assert.Throws<IOException>(() => FileJournal.Open(_directory)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void More_than_there_is_room_for_is_not_reserved()
    {
        using FileJournal journal = FileJournal.Open(_directory);
        Assert.Throws<JournalFullException>(() => journal.Reserve(PassId.New(), 1L << 50));
        journal.Reserve(PassId.New(), 1 << 20);
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private static PassTerms TermsOf(FileJournal journal, ulong number) => new(new PassTicket(journal.Incarnation, number), Epoch: 1);
}
