using System.Net.Sockets;
using Tcpcp.Agent.Passing;
using Tcpcp.Client;
using Tcpcp.Core;
using Tcpcp.Core.Passing;
using Tcpcp.Core.Wire;
using Tcpcp.Linux.Processes;
using Tcpcp.LocalApi;
using FourTuple = Tcpcp.Core.FourTuple;

namespace Tcpcp.Agent.Local;

/// <summary>
/// A pass that an application knows of and whose outcome it has not heard: it connected again, after this agent's restart or a break. Concluding says the
/// outcome; disposing closes this agent's descriptors of the connections, of which the application has its own. Thread-safe.
/// </summary>
internal sealed class KnownPass(LocalSession session, Known known, PassId pass, PassTerms terms, IReadOnlyList<FourTuple> connections,
    IReadOnlyList<DuplicatedDescriptor> descriptors, ReadOnlyMemory<byte> state) : IDisposable
{
    private int _isConcluded;

    public PassId Pass => pass;

    /// <summary>What both sides had agreed on.</summary>
    public PassTerms Terms => terms;

    /// <summary>This host's side.</summary>
    public HostRole Role { get; } = known.Side == JournalSide.Origin ? HostRole.Origin : HostRole.Destination;

    /// <summary>Name of the application at the destination.</summary>
    public string Application => known.Application;

    /// <summary>Of the origin's side: name of the agent that they were to go to.</summary>
    public string Destination => known.Destination;

    public IReadOnlyList<FourTuple> Connections => connections;

    /// <summary>The connections, in order; none if they live here already. The application vouches for them: whether a socket is the named connection, and is frozen,
    /// is for the receiver to look at.</summary>
    public IReadOnlyList<DuplicatedDescriptor> Descriptors => descriptors;

    /// <summary>Of the origin's side: what the application gave.</summary>
    public ReadOnlyMemory<byte> State => state;

    /// <summary>Of the destination's side: the application was told to go. It expects no answer.</summary>
    public bool IsLive => known.IsLive;

    /// <summary>The application, should its connections have to be made again.</summary>
    public IPassReceiver? Receiver => session.FindReceiver(known.Application);

    /// <summary>Hears when the application has gone before it was told an outcome: the receiver's copy is the only one then.</summary>
    public CancellationToken ApplicationGone => session.Ended;

    /// <summary>Of the origin's side: how the pass ended.</summary>
    public void Conclude(PassResult result)
    {
        if (Role != HostRole.Origin)
            throw new InvalidOperationException($"The destination's side of {pass} ends by Go or Withdraw.");
        if (Interlocked.Exchange(ref _isConcluded, 1) == 0)
            session.Post(LocalMessages.Passed(request: 0, pass, result));
    }

    /// <summary>Of the destination's side: the connections live here.</summary>
    /// <param name="ended">One a connection, true for those that have ended; empty: none has.</param>
    public void Go(IReadOnlyList<bool> ended)
    {
        if (Role != HostRole.Destination)
            throw new InvalidOperationException($"The origin's side of {pass} ends by Conclude.");
        if (Interlocked.Exchange(ref _isConcluded, 1) == 0)
            session.Post(LocalMessages.Go(pass, ended));
    }

    /// <summary>Of the destination's side: they do not come.</summary>
    public void Withdraw()
    {
        if (Role != HostRole.Destination)
            throw new InvalidOperationException($"The origin's side of {pass} ends by Conclude.");
        if (Interlocked.Exchange(ref _isConcluded, 1) == 0)
            session.Post(LocalMessages.Withdrawn(pass));
    }

    /// <summary>Takes the descriptors as sockets, for a pass that goes on: they are the caller's.</summary>
    public IReadOnlyList<Socket> TakeSockets() =>
        [.. descriptors.Select(descriptor => new Socket(new SafeSocketHandle(descriptor.Detach(), ownsHandle: true)))];

    public void Dispose()
    {
        foreach (DuplicatedDescriptor descriptor in descriptors)
            descriptor.Dispose();
    }
}
