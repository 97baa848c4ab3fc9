using Tcpcp.Core;
using Tcpcp.Core.Passing;

namespace Tcpcp.Explorer.Tests;

/// <summary>The shipped tables, or what a mutation makes of them.</summary>
internal sealed record Tables
{
    public static Tables Shipped { get; } = new();

    public Func<ulong, OriginStep> Begin { get; init; } = OriginTable.Begin;

    public Func<OriginState, OriginInput, OriginStep> Origin { get; init; } = OriginTable.Next;

    public Func<OriginRecord, PassTerms, PassOutcome?, OriginStep> RecoverOrigin { get; init; } = OriginTable.Recover;

    public Func<PassTerms, bool, OriginStep> RecoverFromApplication { get; init; } = OriginTable.RecoverFromApplication;

    public Func<DestinationState, DestinationInput, DestinationStep> Destination { get; init; } = DestinationTable.Next;

    public Func<DestinationRecord, PassTerms, DestinationStep> RecoverDestination { get; init; } = DestinationTable.Recover;

    public Func<RedirectorState, RedirectionOrder, RedirectorStep> Redirector { get; init; } = RedirectorTable.Next;
}

/// <summary>The rules that are not in the tables but in what performs their effects. All of them hold unless a mutation drops one.</summary>
internal sealed record Rules
{
    public static Rules All { get; } = new();

    /// <summary>A ticket has a number that was never used before in its incarnation.</summary>
    public bool NewTicketNumbers { get; init; } = true;

    /// <summary>Only its pass opens a gate.</summary>
    public bool GateBelongsToPass { get; init; } = true;

    /// <summary>Routing has left when the redirector has said so, not when it was asked.</summary>
    public bool AwaitsRedirector { get; init; } = true;

    /// <summary>After a boot nothing leaves before it is known what is open.</summary>
    public bool QuietAfterBoot { get; init; } = true;

    /// <summary>One open pass per connection.</summary>
    public bool OneOpenPass { get; init; } = true;

    /// <summary>The Accepted record holds the snapshots.</summary>
    public bool AcceptedHoldsSnapshot { get; init; } = true;

    /// <summary>Sockets are made again from the record only while the gate has never been open.</summary>
    public bool RebuildsBehindGateOnly { get; init; } = true;

    /// <summary>A pass id is used once.</summary>
    public bool PassIdOnce { get; init; } = true;

    /// <summary>An application that holds the live sockets of a pass says so.</summary>
    public bool LiveSocketsAreEvidence { get; init; } = true;
}
