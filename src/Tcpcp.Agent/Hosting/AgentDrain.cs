using System.Collections.Concurrent;
using System.Net;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Tcpcp.Agent.Local;
using Tcpcp.Agent.Redirection;
using Tcpcp.Client;
using Tcpcp.Core;

namespace Tcpcp.Agent.Hosting;

/// <summary>
/// One drain: its passes are begun as fast as the operator allows, a bounded number of connections is under way at a time, and the rest runs on meanwhile. What cannot
/// be passed goes on where it was, and is told by name; of connections that the application has passed together and one of which cannot be, the others are tried again
/// one by one, unless the application says that they belong together.
/// </summary>
internal sealed class AgentDrain(AgentHost agent, DrainOrder order) : IDisposable
{
    private readonly SemaphoreSlim _room = new(agent.Configuration.MaxFrozen);
    private readonly SemaphoreSlim _entrance = new(1); // one takes its places at a time, or two could wait for each other's
    private DateTime _nextBegin = DateTime.MinValue;
    private int _turn;
    private readonly ConcurrentDictionary<IPAddress, bool> _passedAddresses = new();
    private int _done;
    private int _total;

    /// <summary>Passes, and says what became of each connection.</summary>
    /// <param name="stop">Begins no new pass; what is under way ends.</param>
    public async IAsyncEnumerable<DrainProgress> RunAsync([EnumeratorCancellation] CancellationToken stop)
    {
        Require();
        Channel<DrainProgress> progress = Channel.CreateUnbounded<DrainProgress>(new UnboundedChannelOptions { SingleReader = true });
        Task all = RunAllAsync(progress.Writer, stop);
        _ = all.ContinueWith(_ => progress.Writer.TryComplete(), TaskScheduler.Default);
        await foreach (DrainProgress one in progress.Reader.ReadAllAsync(CancellationToken.None))
            yield return one;
        await all;
    }

    public void Dispose()
    {
        _room.Dispose();
        _entrance.Dispose();
    }

    private async Task RunAllAsync(ChannelWriter<DrainProgress> progress, CancellationToken stop)
    {
        Forward? forward = order.TakeAddresses ? agent.Host.Redirection as Forward : null;
        if (forward is not null)
            await MoveAsync([.. order.AddressesFirst.Distinct().Select(address => MoveOf(forward, address, pass: null))], progress, stop);
        if (order.AddressesAlone)
            return;
        await RunAsync(Parts(), progress, stop);
        if (forward is not null)
            await MoveAsync([.. Addresses(forward).Select(address => MoveOf(forward, address, connections => RunAsync(PartsOf(connections), progress, stop)))], progress, stop);
    }

    private Task RunAsync(IEnumerable<DrainPart> parts, ChannelWriter<DrainProgress> progress, CancellationToken stop) =>
        Task.WhenAll(parts.Select(part => RunAsync(part, progress, stop)));

    // Of what was passed, now or by an earlier drain.
    private IEnumerable<IPAddress> Addresses(Forward forward)
    {
        OtherHost host = agent.Host.FindHost(order.Destinations[0])!;
        IReadOnlySet<IPAddress> own = forward.ServiceAddresses();
        return forward.Entries.List().Where(one => host.Addresses.Contains(one.NextHop)).Select(one => one.Connection.Local.Address).Concat(_passedAddresses.Keys).Distinct().Where(own.Contains);
    }

    private AddressMove MoveOf(Forward forward, IPAddress address, Func<IReadOnlyList<FourTuple>, Task>? pass) => new(agent, forward, agent.Channels[order.Destinations[0]], address, pass);

    // First those that clients connect to, so that nothing new is opened from the others.
    private async Task MoveAsync(AddressMove[] moves, ChannelWriter<DrainProgress> progress, CancellationToken stop)
    {
        string destination = order.Destinations[0];
        foreach (AddressMove move in moves.OrderByDescending(move => move.IsService))
        {
            (bool hasMoved, string detail) = stop.IsCancellationRequested ? (false, "The drain was stopped before its turn came.") : await move.RunAsync(stop);
            PassResult result = hasMoved ? new PassResult(PassFailure.None, ConnectionOwner.Destination, detail)
                : new PassResult(PassFailure.RedirectionFailed, ConnectionOwner.Origin, detail);
            progress.TryWrite(new DrainProgress(null, "", destination, result, null, Volatile.Read(ref _done), Math.Max(_done, Volatile.Read(ref _total))) { Address = move.Address });
        }

        await Task.WhenAll(moves.Select(move => move.EndAsync()));
    }

    private void Require()
    {
        if (order is { TakeAddresses: true, Destinations.Count: > 1 })
            throw new OperationRefusedException("An address has room at one host only: name one agent that takes connections and addresses.");
        if (order is { TakeAddresses: false, AddressesFirst.Count: > 0 } or { AddressesAlone: true, AddressesFirst.Count: 0 })
            throw new OperationRefusedException("Addresses that move first are for a drain that takes addresses.");
        if (order.TakeAddresses && agent.Host.Redirection is not Forward)
            throw new OperationRefusedException("With takeover the address moves with its last connection; that a drain takes addresses at its end is for \"redirection\": \"forward\".");
        if (order.Destinations.Count == 0)
            throw new OperationRefusedException("Name the agent that takes the connections.");
        if (order.Destinations.FirstOrDefault(name => !agent.Channels.ContainsKey(name)) is { } unknown)
            throw new OperationRefusedException($"No agent named '{unknown}' is configured here. There are: {string.Join(", ", agent.Channels.Keys.Order(StringComparer.Ordinal))}.");
        string[] registered = [.. agent.Local.Applications.Select(application => application.Name)];
        if (order.Applications.Except(registered, StringComparer.Ordinal).FirstOrDefault() is { } absent)
            throw new OperationRefusedException($"No application named '{absent}' is registered here. There are: {string.Join(", ", registered)}.");
        if (order.ProcessId != 0 && !agent.Configuration.TakesUnaware)
            throw new OperationRefusedException("This agent does not pass connections of processes that know nothing of tcpcp: set \"unaware\": true in its configuration.");
        if (order.ProcessId != 0 && order.AsApplication.Length == 0)
            throw new OperationRefusedException("Say what takes the connection at the destination (--as NAME): an application registered there.");
    }

    // Connections by the program that has them.
    private List<DrainPart> Parts()
    {
        if (order.ProcessId != 0)
        {
            UnawareSocket named = new(order.ProcessId, order.Descriptor);
            return [new DrainPart(order.AsApplication, named.Names(), named)];
        }

        if (order.Connections.Count == 0)
        {
            IEnumerable<string> names = order.Applications.Count > 0 ? order.Applications : agent.Local.Applications.Select(application => application.Name);
            return [.. names.Select(name => new DrainPart(name, [], null))];
        }

        return PartsOf(order.Connections);
    }

    private List<DrainPart> PartsOf(IReadOnlyList<FourTuple> connections)
    {
        ConnectionOwners owners = ConnectionOwners.Of(agent.Local.Applications, connections);
        List<DrainPart> parts = [.. owners.ByApplication.Select(owner => new DrainPart(owner.Key, [.. owner], null))];
        foreach (FourTuple connection in owners.Others)
        {
            parts.Add(owners.SocketOf(connection) is { } socket && agent.Configuration.TakesUnaware && order.AsApplication.Length > 0
                ? new DrainPart(order.AsApplication, [connection], socket)
                : new DrainPart("", [connection], null));
        }

        return parts;
    }

    private async Task RunAsync(DrainPart part, ChannelWriter<DrainProgress> progress, CancellationToken stop)
    {
        if (part.Socket is { } socket)
        {
            await PassUnawareAsync(part, socket, progress, stop);
            return;
        }

        if (part.Application.Length == 0)
        {
            Tell(progress, part, part.Connections, "", new PassResult(PassFailure.NotPassable, ConnectionOwner.Origin,
                $"No registered application has {part.Connections[0]}: it has ended, or its process knows nothing of tcpcp (then \"unaware\" and --as NAME are needed)."));
            return;
        }

        List<FourTuple> again = [];
        try
        {
            await foreach (WantedOutcome outcome in PassAsync(part.Application, part.Connections, stop))
            {
                if (outcome is { Count: > 1, Connections.Count: > 0, IsInseparable: false } && MayBeOneOfThem(outcome.Result) && !stop.IsCancellationRequested)
                {
                    again.AddRange(outcome.Connections);
                    Interlocked.Add(ref _total, outcome.Connections.Count - outcome.Count); // the others have ended
                }
                else
                {
                    Tell(progress, part, outcome.Connections, outcome.Destination, outcome.Result);
                }
            }
        }
        catch (OperationRefusedException e)
        {
            Tell(progress, part, part.Connections, "", new PassResult(PassFailure.NoApplication, ConnectionOwner.Origin, e.Message));
        }

        await PassOneByOneAsync(part, again, progress, stop);
    }

    private async Task PassOneByOneAsync(DrainPart part, List<FourTuple> connections, ChannelWriter<DrainProgress> progress, CancellationToken stop)
    {
        HashSet<FourTuple> left = [.. connections];
        foreach (FourTuple connection in connections)
        {
            if (!left.Remove(connection))
                continue; // it went with another one, since the application insists
            PassResult ended = new(PassFailure.NotPassable, ConnectionOwner.Origin, "The application does not have it any more.");
            Interlocked.Decrement(ref _total); // it is counted again
            try
            {
                bool isTold = false;
                await foreach (WantedOutcome outcome in PassAsync(part.Application, [connection], stop))
                {
                    Interlocked.Add(ref _total, -outcome.Connections.Count(left.Remove));
                    Tell(progress, part, outcome.Connections.Count > 0 ? outcome.Connections : [connection], outcome.Destination, outcome.Result);
                    isTold = true;
                }

                if (!isTold)
                    Tell(progress, part, [connection], "", ended);
            }
            catch (OperationRefusedException e)
            {
                Tell(progress, part, [connection], "", new PassResult(PassFailure.NoApplication, ConnectionOwner.Origin, e.Message));
            }
        }
    }

    // What a single connection, or its state, can be refused for.
    private static bool MayBeOneOfThem(PassResult result) => result.Owner == ConnectionOwner.Origin && result.Failure is PassFailure.NotPassable or PassFailure.Conflict
        or PassFailure.RestoreRefusedByKernel or PassFailure.InvalidSnapshot or PassFailure.RefusedByApplication or PassFailure.RefusedByPolicy;

    private async IAsyncEnumerable<WantedOutcome> PassAsync(string application, IReadOnlyList<FourTuple> connections, [EnumeratorCancellation] CancellationToken stop)
    {
        int expected = 0;
        WantedPasses wanted = new()
        {
            Connections = connections,
            Destination = order.Destinations.Count == 1 ? order.Destinations[0] : "",
            AdmitAsync = AdmitAsync,
        };
        await foreach (WantedOutcome outcome in agent.Local.PassWantedAsync(application, wanted, stop))
        {
            if (outcome.Destination.Length > 0) // else it was never admitted
                _room.Release(PlacesOf(outcome.Count));
            Interlocked.Add(ref _total, outcome.Total - expected);
            expected = outcome.Total;
            yield return outcome;
        }
    }

    private async Task PassUnawareAsync(DrainPart part, UnawareSocket socket, ChannelWriter<DrainProgress> progress, CancellationToken stop)
    {
        Interlocked.Increment(ref _total);
        PassResult result;
        string destination = "";
        try
        {
            destination = await AdmitAsync(1, stop);
            try
            {
                result = await socket.PassAsync(agent, part.Application, destination);
            }
            finally
            {
                _room.Release();
            }
        }
        catch (OperationCanceledException)
        {
            result = new PassResult(PassFailure.Cancelled, ConnectionOwner.Origin, "The drain was stopped before its turn came.");
        }

        Tell(progress, part, part.Connections, destination, result);
    }

    // A pass of more connections than may stand still takes all places.
    private int PlacesOf(int connections) => Math.Min(connections, agent.Configuration.MaxFrozen);

    // Waits for its turn by the operator's rate and for room, and takes the destinations in turn.
    private async ValueTask<string> AdmitAsync(int connections, CancellationToken cancellationToken)
    {
        int taken = 0;
        await _entrance.WaitAsync(cancellationToken);
        try
        {
            while (taken < PlacesOf(connections))
            {
                await _room.WaitAsync(cancellationToken);
                taken++;
            }

            if (order.Rate > 0)
            {
                TimeSpan wait = _nextBegin - DateTime.UtcNow;
                if (wait > TimeSpan.Zero)
                    await Task.Delay(wait, cancellationToken);
                _nextBegin = (wait > TimeSpan.Zero ? _nextBegin : DateTime.UtcNow) + TimeSpan.FromSeconds(1.0 / order.Rate);
            }

            return order.Destinations[_turn++ % order.Destinations.Count];
        }
        catch
        {
            if (taken > 0)
                _room.Release(taken);
            throw;
        }
        finally
        {
            _entrance.Release();
        }
    }

    private void Tell(ChannelWriter<DrainProgress> progress, DrainPart part, IReadOnlyList<FourTuple> connections, string destination, PassResult result)
    {
        foreach (FourTuple passed in result.Succeeded ? connections : [])
            _passedAddresses[passed.Local.Address] = true;
        int done = Interlocked.Add(ref _done, Math.Max(connections.Count, 1));
        int total = Math.Max(done, Volatile.Read(ref _total));
        foreach (FourTuple? connection in connections.Count == 0 ? [null] : connections.Cast<FourTuple?>())
            progress.TryWrite(new DrainProgress(connection, part.Application, destination, result, result.Blackout, done, total));
    }
}

/// <summary>Connections that one program has.</summary>
/// <param name="Application">Its registered name, or that of what takes them at the destination; empty: nobody has them.</param>
/// <param name="Connections">Which; empty: all.</param>
/// <param name="Socket">Of a process that knows nothing of tcpcp.</param>
internal sealed record DrainPart(string Application, IReadOnlyList<FourTuple> Connections, UnawareSocket? Socket);
