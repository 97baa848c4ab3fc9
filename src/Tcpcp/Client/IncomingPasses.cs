using System.Collections.Concurrent;
using System.Net.Sockets;
using Tcpcp.Core;
using Tcpcp.Core.Passing;
using Tcpcp.Core.Wire;
using Tcpcp.Linux.Processes;
using Tcpcp.Linux.UnixSockets;
using Tcpcp.LocalApi;
using FourTuple = Tcpcp.Core.FourTuple;

namespace Tcpcp.Client;

/// <summary>The passes that bring connections to this program. Thread-safe.</summary>
internal sealed class IncomingPasses(ConcurrentDictionary<string, IConnectionReceiver> receivers, TimeSpan liveMemory)
{
    private readonly Dictionary<PassId, IncomingPass> _passes = [];
    private readonly Queue<IncomingPass> _live = []; // those that have gone live, the first first
    private readonly Lock _lock = new();

    public void Arrive(AgentConnection connection, LocalPacket packet)
    {
        Arriving message = packet.Message.Arriving;
        IReadOnlyList<FourTuple> connections = LocalWire.ConnectionsFrom(message.Connections);
        bool[] ended = [.. Enumerable.Range(0, connections.Count).Select(number => number < message.Ended.Count && message.Ended[number])];
        ReadOnlyMemory<byte> state = packet.ReadState(message.State, message.StateInDescriptor, ended.Count(one => !one));
        for (int i = 0; i < ended.Count(one => !one); i++)
        {
            if (!packet.Descriptors.IsTcpSocket(i))
                throw new PacketException($"Descriptor {i} is not a TCP socket.");
        }

        if (LocalWire.PassOf(packet.Message) is not { } id)
            return;
        int next = 0;
        DuplicatedDescriptor?[] dormant = [.. ended.Select(one => one ? null : packet.Descriptors.Take(next++))];
        ArrivingConnections arriving = new(id, message.Application, message.Origin, connections, state, message.Epoch);
        IncomingPass pass = new(
            arriving, LocalWire.TermsFrom(message.Ticket, message.Epoch) ?? new PassTerms(default, message.Epoch), dormant, receivers.GetValueOrDefault(message.Application));
        lock (_lock)
        {
            Forget();
            if (_passes.Remove(id, out IncomingPass? before))
                before.Dispose(); // the agent shows them again, after a fault
            _passes[id] = pass;
        }

        if (!message.IsDecided)
            pass.Examine(async objection => await connection.PostAsync(
                new LocalMessage { PassId = LocalWire.ToBytes(id), Answer = new Answer { Objection = objection } }, CancellationToken.None));
    }

    public void Go(LocalMessage message)
    {
        IncomingPass pass;
        IReadOnlyList<Socket?> sockets;
        lock (_lock)
        {
            if (LocalWire.PassOf(message) is not { } id || !_passes.TryGetValue(id, out IncomingPass? found) || found.LiveSince is not null)
                return;
            pass = found;
            sockets = pass.TakeSockets(message.Go.Ended);
            _live.Enqueue(pass);
        }

        _ = Task.Run(async () =>
        {
            await pass.Examined;
            if (pass.Receiver is { } receiver)
            {
                receiver.Go(pass.Arriving, sockets);
                return;
            }

            foreach (Socket? socket in sockets)
                socket?.Dispose(); // nobody here takes them: what any program's end gives the peer
        });
    }

    public void Withdraw(LocalMessage message)
    {
        IncomingPass? pass;
        lock (_lock)
        {
            if (LocalWire.PassOf(message) is not { } id || !_passes.Remove(id, out pass))
                return;
        }

        Task examined = pass.Examined;
        pass.Withdraw();
        if (pass.Receiver is { } receiver)
            _ = examined.ContinueWith(_ => receiver.Withdraw(pass.Arriving), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
    }

    /// <summary>Tells an agent that was restarted what has come here.</summary>
    public async Task ResumeAsync(AgentConnection connection)
    {
        List<(IncomingPass Pass, IReadOnlyList<DuplicatedDescriptor> Descriptors)> claims = [];
        lock (_lock)
        {
            Forget();
            foreach (IncomingPass pass in _passes.Values.Where(pass => pass.LiveSince is not null || pass.Dormant.Count == pass.Arriving.Connections.Count))
                claims.Add((pass, pass.LiveSince is null ? [.. pass.Dormant.Select(DuplicatedDescriptor.Of)] : []));
        }

        foreach ((IncomingPass pass, IReadOnlyList<DuplicatedDescriptor> descriptors) in claims)
        {
            await connection.PostAsync(
                new LocalMessage { PassId = LocalWire.ToBytes(pass.Arriving.Pass), Known = pass.Claim() }, CancellationToken.None, descriptors);
            foreach (DuplicatedDescriptor descriptor in descriptors)
                descriptor.Dispose();
        }
    }

    /// <summary>This program hears nothing any more: what does not live yet is given up.</summary>
    public void Abandon()
    {
        lock (_lock)
        {
            foreach (IncomingPass pass in _passes.Values)
                pass.Dispose();
            _passes.Clear();
            _live.Clear();
        }
    }

    private void Forget()
    {
        while (_live.TryPeek(out IncomingPass? oldest) && TimeProvider.System.GetElapsedTime(oldest.LiveSince!.Value) > liveMemory)
        {
            _live.Dequeue();
            if (_passes.GetValueOrDefault(oldest.Arriving.Pass) != oldest)
                continue; // the agent has shown it again
            _passes.Remove(oldest.Arriving.Pass);
            oldest.Dispose();
        }
    }
}
