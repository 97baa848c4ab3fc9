using Google.Protobuf;
using Tcpcp.Agent.Passing;
using Tcpcp.Core;
using Tcpcp.Core.Passing;
using Tcpcp.Core.Wire;

namespace Tcpcp.Agent.Journal;

/// <summary>Records of the tables as the journal has them.</summary>
internal static class JournalRecords
{
    public static JournalRecord New(PassId pass, OriginRecord kind, PassTerms terms, PassOutcome? outcome = null)
    {
        JournalRecord record = New(pass, JournalSide.Origin, StepOf(kind), terms);
        if (outcome is { } known)
            (record.Owner, record.Failure) = (OwnerOf(known.Owner), known.Failure == PassFailure.None ? "" : known.Failure.ToString());
        return record;
    }

    public static JournalRecord New(PassId pass, DestinationRecord kind, PassTerms terms) => New(pass, JournalSide.Destination, StepOf(kind), terms);

    /// <summary>A later record of a pass over the one before: what it leaves out keeps its value.</summary>
    public static JournalRecord Merge(JournalRecord? before, JournalRecord after)
    {
        if (before is null)
            return after;
        JournalRecord merged = after.Clone();
        if (merged.Connections.Count == 0)
            merged.Connections.Add(before.Connections);
        if (merged.Snapshots.Count == 0)
            merged.Snapshots.Add(before.Snapshots);
        if (merged.ApplicationState.IsEmpty)
            merged.ApplicationState = before.ApplicationState;
        if (merged.Application.Length == 0)
            merged.Application = before.Application;
        if (merged.Destination.Length == 0)
            merged.Destination = before.Destination;
        if (merged.Options.Count == 0)
            merged.Options.Add(before.Options);
        if (merged.OriginName.Length == 0)
            (merged.OriginName, merged.OriginIncarnation, merged.Redirector) = (before.OriginName, before.OriginIncarnation, before.Redirector);
        if (merged.StoodStillSinceNs == 0)
            merged.StoodStillSinceNs = before.StoodStillSinceNs;
        merged.Holder ??= before.Holder;
        if (merged.Home.Length == 0)
            merged.Home = before.Home;
        return merged;
    }

    /// <summary>The pass needs no memory any more on that side.</summary>
    public static bool IsLast(JournalRecord record) => record.Step is JournalStep.Done or JournalStep.Forgotten;

    /// <exception cref="InvalidDataException">It is not a record that this program has made.</exception>
    public static PassId IdOf(JournalRecord record) =>
        record.PassId.Length == 16 ? new PassId(new Guid(record.PassId.Span)) : throw new InvalidDataException("A journal record lacks its pass.");

    /// <exception cref="InvalidDataException">It is not a record that this program has made.</exception>
    public static PassTerms TermsOf(JournalRecord record) => record.Ticket is { Incarnation.Length: 16 } ticket
        ? new PassTerms(new PassTicket(new Guid(ticket.Incarnation.Span), ticket.Number), record.Epoch)
        : throw new InvalidDataException($"The journal record of pass {IdOf(record)} lacks its ticket.");

    /// <summary>How the pass ends; null if the record does not say it.</summary>
    /// <exception cref="InvalidDataException">It is not a record that this program has made.</exception>
    public static PassOutcome? OutcomeOf(JournalRecord record)
    {
        if (record.Owner == PassOwner.Unspecified)
            return null;
        PassFailure failure = PassFailure.None;
        if (record.Failure.Length > 0 && !Enum.TryParse(record.Failure, out failure))
            throw new InvalidDataException($"The journal has a pass that failed by '{record.Failure}', which this program does not know.");
        return new PassOutcome(failure, OwnerOf(record.Owner));
    }

    public static OriginRecord OriginKindOf(JournalRecord record) => record.Step switch
    {
        JournalStep.Begun => OriginRecord.Begun,
        JournalStep.Sending => OriginRecord.Sending,
        JournalStep.Undoing => OriginRecord.Undoing,
        JournalStep.Releasing => OriginRecord.Releasing,
        JournalStep.Settled => OriginRecord.Settled,
        JournalStep.Done => OriginRecord.Done,
        _ => throw new InvalidDataException($"The journal has a record {record.Step} of an origin."),
    };

    public static DestinationRecord DestinationKindOf(JournalRecord record) => record.Step switch
    {
        JournalStep.Offered => DestinationRecord.Offered,
        JournalStep.Accepted => DestinationRecord.Accepted,
        JournalStep.Activating => DestinationRecord.Activating,
        JournalStep.Active => DestinationRecord.Active,
        JournalStep.Refused => DestinationRecord.Refused,
        JournalStep.Forgotten => DestinationRecord.Forgotten,
        _ => throw new InvalidDataException($"The journal has a record {record.Step} of a destination."),
    };

    private static JournalRecord New(PassId pass, JournalSide side, JournalStep step, PassTerms terms) => new()
    {
        PassId = ByteString.CopyFrom(pass.Value.ToByteArray()),
        Side = side,
        Step = step,
        Ticket = PassMessages.ToMessage(terms.Ticket),
        Epoch = terms.Epoch,
    };

    private static PassOwner OwnerOf(ConnectionOwner owner) => owner switch
    {
        ConnectionOwner.Origin => PassOwner.Origin,
        ConnectionOwner.Destination => PassOwner.Destination,
        ConnectionOwner.InDoubt => PassOwner.InDoubt,
        _ => PassOwner.Nobody,
    };

    private static ConnectionOwner OwnerOf(PassOwner owner) => owner switch
    {
        PassOwner.Origin => ConnectionOwner.Origin,
        PassOwner.Destination => ConnectionOwner.Destination,
        PassOwner.InDoubt => ConnectionOwner.InDoubt,
        _ => ConnectionOwner.Nobody,
    };

    private static JournalStep StepOf(OriginRecord kind) => kind switch
    {
        OriginRecord.Begun => JournalStep.Begun,
        OriginRecord.Sending => JournalStep.Sending,
        OriginRecord.Undoing => JournalStep.Undoing,
        OriginRecord.Releasing => JournalStep.Releasing,
        OriginRecord.Settled => JournalStep.Settled,
        _ => JournalStep.Done,
    };

    private static JournalStep StepOf(DestinationRecord kind) => kind switch
    {
        DestinationRecord.Offered => JournalStep.Offered,
        DestinationRecord.Accepted => JournalStep.Accepted,
        DestinationRecord.Activating => JournalStep.Activating,
        DestinationRecord.Active => JournalStep.Active,
        DestinationRecord.Refused => JournalStep.Refused,
        _ => JournalStep.Forgotten,
    };
}
