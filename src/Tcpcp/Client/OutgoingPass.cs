using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Tcpcp.Core;
using Tcpcp.Core.Passing;
using Tcpcp.Core.Wire;
using Tcpcp.LocalApi;
using FourTuple = Tcpcp.Core.FourTuple;

namespace Tcpcp.Client;

/// <summary>A pass that this program has asked for, and what it notes of it for an agent that is restarted meanwhile.</summary>
internal sealed class OutgoingPass(ulong request, PassOrder order) : IDisposable
{
    private readonly TaskCompletionSource<PassResult> _outcome = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _quiescing = new();
    private readonly FourTuple[] _connections =
        [.. order.Sockets.Select(NameOf)];
    private Task<ReadOnlyMemory<byte>>? _state;
    private int _isConcluded;

    public ulong Request => request;

    public PassOrder Order => order;

    /// <summary>Null until the agent has begun.</summary>
    public PassId? Pass { get; private set; }

    public PassTerms Terms { get; private set; }

    public Task<PassResult> Outcome => _outcome.Task;

    /// <summary>The agent refused it as it was asked: it never was a pass.</summary>
    public bool WasTaken { get; private set; } = true;

    /// <summary>Whether it would move one of these connections.</summary>
    public static bool IsOfAny(PassOrder order, IReadOnlyList<FourTuple> connections)
    {
        try
        {
            return order.Sockets.Any(socket => connections.Contains(NameOf(socket)));
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            return false; // it has ended
        }
    }

    /// <summary>The agent has begun: notes it, and lets the program stop.</summary>
    public void Begin(PassId pass, PassTerms terms, string destination)
    {
        if (Pass is not null)
            return;
        (Terms, Destination) = (terms, destination);
        CancellationToken given = _quiescing.Token;
        _state = Task.Run(() => order.QuiesceAsync(given).AsTask(), CancellationToken.None);
        Pass = pass;
    }

    /// <summary>Waits until the program has stopped.</summary>
    /// <returns>What is said of it, but for the state.</returns>
    public async Task<LocalMessage> QuiescedAsync()
    {
        Quiesced quiesced = new();
        try
        {
            ReadOnlyMemory<byte> state = await _state!;
            if (state.Length > LocalProtocol.MaxStateBytes)
                quiesced.Objection = $"Its state has {state.Length} bytes; the limit is {LocalProtocol.MaxStateBytes}.";
        }
        catch (Exception e)
        {
            // Whatever the program's own code threw: the connections go on here.
            quiesced.Objection = e.Message.Length > 0 ? e.Message : e.GetType().Name;
        }

        return new LocalMessage { PassId = LocalWire.ToBytes(Pass!.Value), Quiesced = quiesced };
    }

    /// <summary>The agent's name for where they go.</summary>
    public string Destination { get; private set; } = order.Destination;

    /// <summary>What the program gave; empty if it gave nothing.</summary>
    public ReadOnlyMemory<byte> State => _state is { IsCompletedSuccessfully: true } state ? state.Result : ReadOnlyMemory<byte>.Empty;

    /// <summary>The program has stopped, or has objected.</summary>
    public bool HasStopped => _state is { IsCompleted: true };

    /// <summary>For an agent that was restarted.</summary>
    /// <param name="handles">Gets the sockets that the program has not closed.</param>
    /// <returns>Null if it has closed them all.</returns>
    public Known? Claim(in LocalState state, out SafeHandle[] handles)
    {
        int[] open = [.. Enumerable.Range(0, order.Sockets.Count).Where(number => !order.Sockets[number].SafeHandle.IsClosed)];
        handles = [.. open.Select(number => order.Sockets[number].SafeHandle)];
        if (open.Length == 0)
            return null;
        Known known = new()
        {
            Side = JournalSide.Origin,
            Application = order.Application,
            Destination = Destination,
            Ticket = LocalWire.ToMessage(Terms.Ticket),
            Epoch = Terms.Epoch,
            State = state.Inline,
            StateInDescriptor = state.IsInDescriptor,
        };
        known.Connections.Add(open.Select(number => EndPointWire.ToMessage(_connections[number])));
        return known;
    }

    /// <summary>The outcome is known: lets the program go on, or closes its descriptors.</summary>
    public async Task ConcludeAsync(PassResult result, bool wasTaken = true)
    {
        if (Interlocked.Exchange(ref _isConcluded, 1) != 0)
            return;
        WasTaken = wasTaken;
        try
        {
            await _quiescing.CancelAsync();
            if (_state is { } state)
            {
                await state.ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
                if (result.Owner == ConnectionOwner.Origin)
                    order.Resume();
            }

            if (result.Owner is ConnectionOwner.Destination or ConnectionOwner.Nobody)
            {
                foreach (Socket socket in order.Sockets)
                    socket.Dispose(); // dissolved: nothing is sent
            }

            order.Concluded?.Invoke(result);
            _outcome.TrySetResult(result);
        }
        catch (Exception e)
        {
            _outcome.TrySetException(e); // of the program's own code: whoever waits must hear of it
        }

        Dispose();
    }

    public void Dispose() => _quiescing.Dispose();

    /// <summary>Nobody will say the outcome any more.</summary>
    public void Abandon(Exception reason) => _outcome.TrySetException(reason);

    private static FourTuple NameOf(Socket socket) => new(Unmapped(socket.LocalEndPoint!), Unmapped(socket.RemoteEndPoint!));

    private static IPEndPoint Unmapped(System.Net.EndPoint end)
    {
        IPEndPoint internet = (IPEndPoint)end;
        return internet.Address.IsIPv4MappedToIPv6 ? new IPEndPoint(internet.Address.MapToIPv4(), internet.Port) : internet;
    }
}
