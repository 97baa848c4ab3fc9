using Tcpcp.Agent.Journal;
using Tcpcp.Core;
using Tcpcp.Core.Wire;

namespace Tcpcp.PassProcess;

/// <summary>A journal that has no room for the records of one step.</summary>
internal sealed class FullJournal(IPassJournal journal, JournalStep step) : IPassJournal
{
    public Guid Incarnation => journal.Incarnation;

    public IReadOnlyList<JournalRecord> ReadAtStart() => journal.ReadAtStart();

    public ulong TakeTicketNumber() => journal.TakeTicketNumber();

    public void Reserve(PassId pass, long bytes) => journal.Reserve(pass, bytes);

    public void Append(JournalRecord record)
    {
        if (record.Step == step)
        {
            Console.WriteLine($"full {step}");
            throw new JournalFullException($"The journal takes no record {step}.");
        }

        journal.Append(record);
    }
}
