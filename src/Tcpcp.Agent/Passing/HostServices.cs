using Tcpcp.Agent.Hold;
using Tcpcp.Agent.Journal;
using Tcpcp.Agent.Redirection;
using Tcpcp.Core;
using Tcpcp.Core.Wire;
using Tcpcp.Gate;
using Tcpcp.Linux;
using Tcpcp.Linux.Diagnostics;

namespace Tcpcp.Agent.Passing;

/// <summary>What both sides of a pass use of their host. Opened on a thread in the host's network namespace.</summary>
internal sealed class HostServices : IDisposable
{
    private HostServices(PassOptions options, IPassJournal journal, ConnectionGate gate, PacketHold hold, SocketDiagnostics sockets, IRedirection redirection)
    {
        Sockets = sockets;
        Living = new LivingConnections(sockets);
        Options = options;
        Journal = journal;
        Gate = gate;
        Hold = hold;
        Redirection = redirection;
    }

    public PassOptions Options { get; }

    public IPassJournal Journal { get; }

    public ConnectionGate Gate { get; }

    public PacketHold Hold { get; }

    public SocketDiagnostics Sockets { get; }

    public LivingConnections Living { get; }

    public NextHops NextHops { get; } = new();

    public IRedirection Redirection { get; }

    public ConnectionEpochs Epochs { get; } = new();

    /// <summary>What this host is the origin of.</summary>
    public OriginPasses OriginPasses { get; } = new();

    /// <summary>
    /// What a destination is answered that speaks of a pass which this host, as its origin, speaks of no more: it has refused it after the pass was given up, and waits for
    /// the Forget. A journal that is another one may have lost the pass, which may still be open: then only the application can go on with it, unless the sockets are gone
    /// too, as after a boot.
    /// </summary>
    public PassMessage? AnswerStray(PassId pass, PassMessage message)
    {
        if (message is not { BodyCase: PassMessage.BodyOneofCase.Verdict, Verdict: { Kind: VerdictKind.Refused } verdict } || PassMessages.TicketOf(message) is not { } ticket ||
            OriginPasses.IsOpen(pass) || !(verdict.OriginIncarnation == PassMessages.BytesOf(Journal.Incarnation) || AreGone(verdict)))
            return null;
        PassMessage answer = PassMessages.New(pass, ticket);
        answer.Forget = new Forget { Connections = { verdict.Connections } };
        return answer;
    }

    private bool AreGone(Verdict verdict)
    {
        try
        {
            return verdict.Connections.Count > 0 && verdict.Connections.All(connection => Sockets.Find(EndPointWire.FromMessage(connection)) is null);
        }
        catch (Exception e) when (e is InvalidSnapshotException or KernelException)
        {
            return false; // it asks again
        }
    }

    /// <summary>The span of a pass in this host's traces; empty if it is not traced.</summary>
    public Func<PassId, ReadOnlyMemory<byte>> TraceOf { get; init; } = _ => default;

    /// <summary>Another host by its agent's name; null if it is not known.</summary>
    public Func<string, OtherHost?> FindHost { get; init; } = _ => null;

    /// <summary>The agents of other hosts by name, as homes of connections; "*": all. None if the name is not known.</summary>
    public Func<string, IReadOnlyList<IHomeAgent>> FindHomes { get; init; } = _ => [];

    /// <param name="interfaceName">The interface that peers and the other hosts are behind.</param>
    /// <param name="redirection">Makes what moves the packets; null: takeover.</param>
    /// <param name="tunnelName">The interface by which packets come that other hosts forward through a tunnel; null: there is none.</param>
    public static HostServices Open(
        string interfaceName, PassOptions options, IPassJournal journal, Func<SocketDiagnostics, IRedirection>? redirection = null,
        Func<string, OtherHost?>? findHost = null, Func<string, IReadOnlyList<IHomeAgent>>? findHomes = null,
        Func<PassId, ReadOnlyMemory<byte>>? traceOf = null, string? tunnelName = null)
    {
        ConnectionGate gate = ConnectionGate.Open();
        SocketDiagnostics sockets = new();
        PacketHold? hold = null;
        try
        {
            hold = PacketHold.Open(tunnelName is null ? [interfaceName] : [interfaceName, tunnelName], options.HoldBytes, options.PacketSwitch, options.Hold);
            return new HostServices(options, journal, gate, hold, sockets, redirection?.Invoke(sockets) ?? new Takeover(interfaceName, sockets))
            {
                FindHost = findHost ?? (_ => null),
                FindHomes = findHomes ?? (_ => []),
                TraceOf = traceOf ?? (_ => default),
            };
        }
        catch
        {
            hold?.Dispose();
            sockets.Dispose();
            gate.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        Hold.Dispose();
        Gate.Dispose();
        Redirection.Dispose();
        NextHops.Dispose();
        Living.Dispose();
        Sockets.Dispose();
    }
}
