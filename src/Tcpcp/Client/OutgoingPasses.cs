using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Tcpcp.Core;
using Tcpcp.Core.Wire;
using Tcpcp.LocalApi;

namespace Tcpcp.Client;

/// <summary>The passes that this program has asked for. Thread-safe.</summary>
internal sealed class OutgoingPasses : IDisposable
{
    private readonly Dictionary<ulong, OutgoingPass> _passes = [];
    private readonly ConditionalWeakTable<Socket, StrongBox<ulong>> _epochs = [];
    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _room;
    private AgentConnection _connection;

    public OutgoingPasses(AgentConnection connection)
    {
        _connection = connection;
        _room = new SemaphoreSlim((int)Math.Clamp(connection.Welcome.MaxRequests, 1, int.MaxValue));
    }

    /// <param name="wanted">The agent's question that this obeys; 0: none.</param>
    public async Task<OutgoingPass> RunAsync(
        AgentConnection connection, ulong request, PassOrder order, ulong wanted, CancellationToken cancellationToken)
    {
        OutgoingPass pass = new(request, order);
        await _room.WaitAsync(cancellationToken);
        try
        {
            lock (_lock)
                _passes[request] = pass;
            PassConnections message = new()
            {
                Application = order.Application, Destination = order.Destination, Epoch = EpochOf(order), Wanted = wanted, Inseparable = order.IsInseparable,
            };
            if (!await connection.PostAsync(new LocalMessage { Request = request, Pass = message }, cancellationToken, HandlesOf(order)))
                await pass.ConcludeAsync(Interrupted);
            using (cancellationToken.Register(() => connection.Channel.TryPost(new LocalMessage { Request = request, Cancel = new CancelPass() })))
                await pass.Outcome;
            return pass;
        }
        finally
        {
            lock (_lock)
                _passes.Remove(request);
            _room.Release();
        }
    }

    public void Quiesce(AgentConnection connection, LocalMessage message)
    {
        if (Find(message.Request) is not { } pass || LocalWire.PassOf(message) is not { } id ||
            LocalWire.TermsFrom(message.Quiesce.Ticket, message.Quiesce.Epoch) is not { } terms)
            return; // given up meanwhile
        foreach (Socket socket in pass.Order.Sockets)
            _epochs.AddOrUpdate(socket, new StrongBox<ulong>(terms.Epoch));
        pass.Begin(id, terms, message.Quiesce.Destination);
        _ = AnswerAsync(connection, pass);
    }

    public void Conclude(LocalMessage message)
    {
        PassId? id = LocalWire.PassOf(message);
        OutgoingPass? pass;
        lock (_lock)
        {
            pass = message.Request != 0 ? _passes.GetValueOrDefault(message.Request)
                : id is null ? null : _passes.Values.FirstOrDefault(one => one.Pass == id);
        }

        if (pass is not null)
            _ = pass.ConcludeAsync(LocalWire.ResultFrom(message.Passed.Failure, message.Passed.Owner, message.Passed.Detail, message.Passed.BlackoutNs));
    }

    /// <summary>The agent does not take the request; nothing has changed.</summary>
    public void Refuse(LocalMessage message)
    {
        if (Find(message.Request) is { Pass: null } pass)
            _ = pass.ConcludeAsync(new PassResult(PassFailure.NotPassable, ConnectionOwner.Origin, message.Failed.Reason), wasTaken: false);
    }

    /// <summary>The agent has gone: what it had not begun stays here.</summary>
    public void Lose()
    {
        foreach (OutgoingPass pass in All().Where(pass => pass.Pass is null))
            _ = pass.ConcludeAsync(Interrupted);
    }

    /// <summary>Tells an agent that was restarted what this program does not know the outcome of.</summary>
    public async Task ResumeAsync(AgentConnection connection)
    {
        lock (_lock)
            _connection = connection;
        foreach (OutgoingPass pass in All().Where(pass => pass is { Pass: not null, HasStopped: true }))
            await ClaimAsync(connection, pass);
    }

    /// <summary>This program hears nothing any more.</summary>
    public void Abandon(Exception reason)
    {
        foreach (OutgoingPass pass in All())
            pass.Abandon(reason);
    }

    public void Dispose() => _room.Dispose();

    private static PassResult Interrupted =>
        new(PassFailure.Interrupted, ConnectionOwner.Origin, "The agent went away before the pass began.");

    private async Task AnswerAsync(AgentConnection connection, OutgoingPass pass)
    {
        LocalMessage answer = await pass.QuiescedAsync();
        using LocalState state = LocalState.Of(answer.Quiesced.Objection.Length > 0 ? ReadOnlyMemory<byte>.Empty : pass.State);
        (answer.Quiesced.State, answer.Quiesced.StateInDescriptor) = (state.Inline, state.IsInDescriptor);
        if (await connection.PostAsync(answer, CancellationToken.None, state.Behind([])))
            return;
        AgentConnection current;
        lock (_lock)
            current = _connection;
        if (current != connection)
            await ClaimAsync(current, pass); // the agent was restarted while the program stopped
    }

    // The program may close a socket at any time: then its connection has ended, and there is nothing to claim of it.
    private static async Task ClaimAsync(AgentConnection connection, OutgoingPass pass)
    {
        using LocalState state = LocalState.Of(pass.State);
        while (pass.Claim(state, out SafeHandle[] handles) is { } known)
        {
            try
            {
                await connection.PostAsync(new LocalMessage { PassId = LocalWire.ToBytes(pass.Pass!.Value), Known = known }, CancellationToken.None, state.Behind(handles));
                return;
            }
            catch (ArgumentException) when (Array.Exists(handles, handle => handle.IsClosed))
            {
                // One was closed just now.
            }
        }
    }

    private static SafeHandle[] HandlesOf(PassOrder order) => [.. order.Sockets.Select(socket => socket.SafeHandle)];

    private ulong EpochOf(PassOrder order) => order.Sockets.Max(socket => Math.Max(order.Epoch, _epochs.TryGetValue(socket, out StrongBox<ulong>? used) ? used.Value : 0));

    private OutgoingPass? Find(ulong request)
    {
        lock (_lock)
            return _passes.GetValueOrDefault(request);
    }

    private OutgoingPass[] All()
    {
        lock (_lock)
            return [.. _passes.Values];
    }
}
