using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Tcpcp.Core;
using Tcpcp.Core.Wire;
using Tcpcp.Linux.UnixSockets;
using Tcpcp.LocalApi;
using static Tcpcp.Core.Wire.LocalMessage;

namespace Tcpcp.Client;

/// <summary>
/// Speaks with the agent of this host: passes this program's connections to other hosts, and takes those that come from there. The program needs no privilege,
/// only the group that the agent is configured with. When the agent is restarted, the client connects again, registers again and asks for the outcome of what
/// was under way. Thread-safe.
/// </summary>
/// <example>
/// <code>
/// await using AgentClient agent = await AgentClient.ConnectAsync();
/// await agent.RegisterAsync("echo", receiver);          // connections may come
/// PassResult result = await agent.PassAsync(new PassOrder
/// {
///     Sockets = [socket],
///     Application = "echo",
///     Destination = "host-b",
///     QuiesceAsync = async _ =&gt; { await StopAsync(); return state; },
///     Resume = Start,                                    // it goes on here after all
/// });
/// </code>
/// </example>
public sealed class AgentClient : IAsyncDisposable
{
    private readonly AgentClientOptions _options;
    private readonly ConcurrentDictionary<string, IConnectionReceiver> _receivers = new(StringComparer.Ordinal);
    private readonly AgentQuestions _questions = new();
    private readonly OutgoingPasses _outgoing;
    private readonly IncomingPasses _incoming;
    private readonly CancellationTokenSource _disposing = new();
    private readonly Task _running;
    private readonly Lock _lock = new();
    private TaskCompletionSource<AgentConnection> _connected = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Welcome _welcome;

    private AgentClient(AgentClientOptions options, AgentConnection connection)
    {
        _options = options;
        _welcome = connection.Welcome;
        _outgoing = new OutgoingPasses(connection);
        _incoming = new IncomingPasses(_receivers, options.LiveMemory);
        _connected.SetResult(connection);
        _running = RunAsync(connection);
    }

    /// <summary>Name of the agent.</summary>
    public string Host => _welcome.Host;

    /// <summary>Names of the agents that connections can be passed to.</summary>
    public IReadOnlyList<string> Destinations => _welcome.Destinations;

    /// <summary>Whether the agent is there at the moment.</summary>
    public bool IsConnected => Current.IsCompletedSuccessfully;

    /// <summary>Connects to the agent of this host.</summary>
    /// <param name="options">Null: the defaults.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="AgentException">The agent is not there, or this program may not use it.</exception>
    public static async Task<AgentClient> ConnectAsync(AgentClientOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= new AgentClientOptions();
        return new AgentClient(options, await AgentConnection.OpenAsync(options, cancellationToken));
    }

    /// <summary>Takes connections that come under a name, until this is disposed. One program a name on a host.</summary>
    /// <param name="application">The name.</param>
    /// <param name="receiver">Gets the connections.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="AgentException">The name is taken, or the agent is gone.</exception>
    public async Task RegisterAsync(string application, IConnectionReceiver receiver, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(application);
        ArgumentNullException.ThrowIfNull(receiver);
        if (!_receivers.TryAdd(application, receiver))
            throw new InvalidOperationException($"This client has registered '{application}' already.");
        try
        {
            await RegisterAsync(await ConnectedAsync(cancellationToken), application, cancellationToken);
        }
        catch
        {
            _receivers.TryRemove(application, out _);
            throw;
        }
    }

    /// <summary>Passes connections to another host. They stay in use until <see cref="PassOrder.QuiesceAsync"/> is called.</summary>
    /// <param name="order">The connections.</param>
    /// <param name="cancellationToken">Gives the pass up as long as nothing has left this host; its outcome is still waited for.</param>
    /// <returns>How it ended: if this host owns the connections, <see cref="PassOrder.Resume"/> was called if need be; else they are disposed of.</returns>
    /// <exception cref="OperationCanceledException">It was cancelled before the agent was asked.</exception>
    /// <exception cref="ObjectDisposedException">This was disposed of before the outcome was known; connections that were quiesced must not be used.</exception>
    public async Task<PassResult> PassAsync(PassOrder order, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(order);
        if (order.Destination.Length == 0)
            throw new ArgumentException("The pass names no destination.", nameof(order));
        if (order.Sockets.Count is 0 or > LocalProtocol.MaxConnections)
            throw new ArgumentException($"A pass takes 1 to {LocalProtocol.MaxConnections} connections.", nameof(order));
        AgentConnection connection = await ConnectedAsync(cancellationToken);
        return await (await _outgoing.RunAsync(connection, _questions.NextNumber(), order, wanted: 0, cancellationToken)).Outcome;
    }

    /// <summary>What the agent says of itself. For operators.</summary>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="AgentException">This program may not ask, or the agent is gone.</exception>
    public async Task<AgentStatus> GetStatusAsync(CancellationToken cancellationToken = default) =>
        Understand(StatusWire.FromMessage, (await AskAsync(new LocalMessage { GetStatus = new GetStatus() }, cancellationToken)).Status ?? new Status());

    /// <summary>The passes that the agent has not forgotten. For operators.</summary>
    /// <param name="inDoubtOnly">Only those whose outcome it does not know.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="AgentException">This program may not ask, or the agent is gone.</exception>
    public async Task<IReadOnlyList<OpenPass>> ListPassesAsync(bool inDoubtOnly = false, CancellationToken cancellationToken = default)
    {
        List<OpenPass> passes = [];
        LocalMessage question = new() { Request = _questions.NextNumber(), ListPasses = new ListPasses { InDoubtOnly = inDoubtOnly } };
        AgentConnection connection = await ConnectedAsync(cancellationToken);
        await foreach (LocalMessage answer in _questions.AskAsync(connection, question, one => one.PassList is not { More: true }, cancellationToken))
            passes.AddRange((answer.PassList ?? new PassList()).Passes.Select(one => Understand(LocalWire.FromMessage, one)));
        return passes;
    }

    /// <summary>Settles a pass that is in doubt. For operators.</summary>
    /// <param name="pass">Its name.</param>
    /// <param name="way">How.</param>
    /// <param name="cancellationToken">Gives up waiting; the agent settles it all the same.</param>
    /// <exception cref="AgentException">This program may not, there is no such pass, or the agent is gone.</exception>
    public async Task<PassResult> SettlePassAsync(PassId pass, SettleWay way, CancellationToken cancellationToken = default)
    {
        LocalMessage question = new() { PassId = LocalWire.ToBytes(pass), Settle = new SettlePass { Way = LocalWire.ToMessage(way) } };
        Settled settled = (await AskAsync(question, cancellationToken)).Settled ?? throw new AgentException("The agent did not say how the pass ended.");
        return Understand(one => LocalWire.ResultFrom(one.Failure, one.Owner, one.Detail), settled);
    }

    /// <summary>Passes connections of this host's applications and processes. For operators.</summary>
    /// <param name="order">Which, and where to.</param>
    /// <param name="cancellationToken">Begins no new pass; those under way end, and are told.</param>
    /// <returns>What became of each connection, when it is known.</returns>
    /// <exception cref="AgentException">This program may not, or the agent is gone: then nobody tells what became of the rest.</exception>
    public async IAsyncEnumerable<DrainProgress> DrainAsync(DrainOrder order, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(order);
        AgentConnection connection = await ConnectedAsync(cancellationToken);
        ulong request = _questions.NextNumber();
        LocalMessage question = new() { Request = request, Drain = DrainWire.ToMessage(order) };
        LocalMessage stop = new() { Request = request, StopDrain = new StopDrain() };
        IAsyncEnumerable<LocalMessage> answers = _questions.AskAsync(connection, question, one => one.DrainProgress is not { IsLast: false }, CancellationToken.None);
        await using IAsyncEnumerator<LocalMessage> answer = answers.GetAsyncEnumerator(CancellationToken.None);
        ValueTask<bool> first = answer.MoveNextAsync(); // the question is on its way before the stop
        using CancellationTokenRegistration stopping = cancellationToken.Register(() => connection.Channel.TryPost(stop));
        for (bool isThere = await first; isThere; isThere = await answer.MoveNextAsync())
        {
            if (answer.Current.DrainProgress is { IsLast: false } progress)
                yield return Understand(DrainWire.FromMessage, progress);
        }
    }

    /// <summary>Disconnects: the registered names are free again. Passes under way end as if this program had died, but for its sockets, which stay.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_disposing.IsCancellationRequested)
            return;
        await _disposing.CancelAsync();
        await _running;
        _disposing.Dispose();
        _outgoing.Dispose();
    }

    private static TResult Understand<TMessage, TResult>(Func<TMessage, TResult> read, TMessage answer)
    {
        try
        {
            return read(answer);
        }
        catch (PacketException e)
        {
            throw new AgentException($"The agent's answer makes no sense: {e.Message} Does its version fit this library?", e);
        }
    }

    private Task<AgentConnection> Current
    {
        get
        {
            lock (_lock)
                return _connected.Task;
        }
    }

    private async Task<AgentConnection> ConnectedAsync(CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_disposing.IsCancellationRequested, this);
        return await Current.WaitAsync(cancellationToken);
    }

    private async Task<LocalMessage> AskAsync(LocalMessage question, CancellationToken cancellationToken)
    {
        question.Request = _questions.NextNumber();
        return await _questions.AskOnceAsync(await ConnectedAsync(cancellationToken), question, cancellationToken);
    }

    private Task<LocalMessage> RegisterAsync(AgentConnection connection, string application, CancellationToken cancellationToken) => _questions.AskOnceAsync(
        connection, new LocalMessage { Request = _questions.NextNumber(), Register = new Register { Application = application } }, cancellationToken);

    private async Task RunAsync(AgentConnection first)
    {
        await Task.Yield();
        Exception end = new ObjectDisposedException(nameof(AgentClient), "The client was disposed of before the outcome of the pass was known.");
        try
        {
            await ServeAsync(first);
        }
        catch (Exception e)
        {
            end = e; // a bug: whoever waits must hear of it
        }

        _outgoing.Abandon(end);
        _incoming.Abandon();
        _questions.Lose();
        lock (_lock)
        {
            if (_connected.Task.IsCompleted)
                _connected = new TaskCompletionSource<AgentConnection>(TaskCreationOptions.RunContinuationsAsynchronously);
            _connected.SetException(end);
            _ = _connected.Task.Exception; // nobody need wait for it
        }
    }

    private async Task ServeAsync(AgentConnection first)
    {
        AgentConnection? connection = first;
        while (connection is not null)
        {
            using (connection)
                await ReceiveAsync(connection);
            lock (_lock)
            {
                if (_connected.Task.IsCompleted)
                    _connected = new TaskCompletionSource<AgentConnection>(TaskCreationOptions.RunContinuationsAsynchronously);
            }

            _questions.Lose();
            _outgoing.Lose();
            connection = await ReconnectAsync();
        }
    }

    private async Task ReceiveAsync(AgentConnection connection)
    {
        try
        {
            while (await connection.Channel.ReceiveAsync(_disposing.Token) is { } packet)
            {
                using (packet)
                    Handle(connection, packet);
            }
        }
        catch (Exception e) when (e is PacketException or OperationCanceledException)
        {
            // Not an agent any more, or this is disposed of.
        }
    }

    private void Handle(AgentConnection connection, LocalPacket packet)
    {
        LocalMessage message = packet.Message;
        switch (message.BodyCase)
        {
            case BodyOneofCase.Quiesce:
                _outgoing.Quiesce(connection, message);
                break;
            case BodyOneofCase.Passed:
                _outgoing.Conclude(message);
                break;
            case BodyOneofCase.Arriving:
                _incoming.Arrive(connection, packet);
                break;
            case BodyOneofCase.Go:
                _incoming.Go(message);
                break;
            case BodyOneofCase.Withdrawn:
                _incoming.Withdraw(message);
                break;
            case BodyOneofCase.PassWanted:
                _ = Task.Run(() => ObeyAsync(connection, message));
                break;
            case BodyOneofCase.Failed:
                _outgoing.Refuse(message);
                _questions.Hear(message);
                break;
            default:
                _questions.Hear(message);
                break;
        }
    }

    private async Task ObeyAsync(AgentConnection connection, LocalMessage message)
    {
        IReadOnlyList<PassOrder> orders = [];
        try
        {
            IReadOnlyList<Core.FourTuple> wanted = LocalWire.ConnectionsFrom(message.PassWanted.Connections);
            if (_receivers.TryGetValue(message.PassWanted.Application, out IConnectionReceiver? receiver))
                orders = receiver.FindConnections(wanted);
            if (wanted.Count > 0)
                orders = [.. orders.Where(order => OutgoingPass.IsOfAny(order, wanted))]; // the program may have named more
        }
        finally
        {
            await SayAsync(orders.Count, orders.Sum(order => order.Sockets.Count)); // also if the program's own code has failed: the operator waits
        }

        int expected = orders.Count, connections = orders.Sum(order => order.Sockets.Count);
        await Task.WhenAll(orders.Select(async order =>
        {
            bool wasTaken = false;
            try
            {
                wasTaken = (await _outgoing.RunAsync(connection, _questions.NextNumber(), order, message.Request, _disposing.Token)).WasTaken;
            }
            catch (Exception e) when (e is OperationCanceledException or ArgumentException or ObjectDisposedException or System.Net.Sockets.SocketException)
            {
                // It ended meanwhile.
            }

            if (!wasTaken)
                await SayAsync(Interlocked.Decrement(ref expected), Interlocked.Add(ref connections, -order.Sockets.Count));
        }));

        async Task SayAsync(int passes, int connections) => await connection.PostAsync(
            new LocalMessage { Request = message.Request, WillPass = new WillPass { Passes = (uint)passes, Connections = (uint)connections } }, CancellationToken.None);
    }

    private async Task<AgentConnection?> ReconnectAsync()
    {
        TimeSpan pause = _options.ReconnectBackOff;
        while (!_disposing.IsCancellationRequested)
        {
            AgentConnection? connection = null;
            try
            {
                await Task.Delay(pause, _disposing.Token);
                connection = await AgentConnection.OpenAsync(_options, _disposing.Token);
                await ResumeAsync(connection);
                return connection;
            }
            catch (OperationCanceledException)
            {
                connection?.Dispose();
                return null;
            }
            catch (Exception e) when (e is AgentException or PacketException)
            {
                connection?.Dispose(); // not yet, or a name is still that of the connection before
            }

            pause = pause * 2 < _options.ReconnectBackOffMax ? pause * 2 : _options.ReconnectBackOffMax;
        }

        return null;
    }

    // Names first, so that connections that are to be made again find their receiver.
    private async Task ResumeAsync(AgentConnection connection)
    {
        foreach (string application in _receivers.Keys)
        {
            LocalMessage question = new() { Request = _questions.NextNumber(), Register = new Register { Application = application } };
            await connection.PostAsync(question, _disposing.Token);
            LocalMessage answer;
            do
            {
                using LocalPacket packet = await connection.Channel.ReceiveAsync(_disposing.Token) ?? throw new AgentException("The agent went away.");
                answer = packet.Message;
                Handle(connection, packet);
            }
            while (answer.Request != question.Request || answer.BodyCase is not (BodyOneofCase.Registered or BodyOneofCase.Failed));
            if (answer.BodyCase == BodyOneofCase.Failed)
                throw new AgentException(answer.Failed.Reason);
        }

        await _outgoing.ResumeAsync(connection);
        await _incoming.ResumeAsync(connection);
        lock (_lock)
        {
            _welcome = connection.Welcome;
            _connected.TrySetResult(connection);
        }
    }
}
