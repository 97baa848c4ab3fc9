using System.IO.Pipelines;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;

namespace Tcpcp.AspNetCore.Transport;

/// <summary>Receives what a client sends, and can be stopped without an effect on the socket.</summary>
/// <param name="connection">Gets what is received, and hears when nothing more comes.</param>
/// <param name="room">For bytes that are received at once.</param>
internal sealed class ReceiveLoop(PassableConnection connection, int room) : IDisposable
{
    private CancellationTokenSource _stop = new();
    private Task _running = Task.CompletedTask;
    private bool _hasEnded;

    /// <summary>The client says that it sends nothing more.</summary>
    public bool HasPeerClosed { get; private set; }

    /// <param name="before">What another host has received.</param>
    public void Start(ReadOnlyMemory<byte> before) => _running = RunAsync(before, _stop.Token);

    /// <summary>From the return on nothing is received.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        connection.Input.Received.CancelPendingFlush();
        await _running;
    }

    /// <summary>Goes on, if it was stopped.</summary>
    public void Resume()
    {
        if (!_stop.IsCancellationRequested)
            return;
        _stop.Dispose();
        _stop = new CancellationTokenSource();
        if (!_hasEnded)
            Start(default);
    }

    /// <summary>Done when nothing more comes, or it was stopped.</summary>
    public Task EndAsync() => _running;

    public void Dispose() => _stop.Dispose();

    private async Task RunAsync(ReadOnlyMemory<byte> before, CancellationToken stop)
    {
        (Socket socket, PipeWriter received) = (connection.Socket, connection.Input.Received);
        Exception? error = null;
        try
        {
            if (!before.IsEmpty)
                await received.WriteAsync(before, CancellationToken.None);
            while (true)
            {
                stop.ThrowIfCancellationRequested();
                await socket.ReceiveAsync(Memory<byte>.Empty, SocketFlags.None, stop); // an idle connection needs no memory
                int read = socket.Receive(received.GetSpan(room), SocketFlags.None, out SocketError code);
                if (code == SocketError.WouldBlock)
                    continue;
                if (code != SocketError.Success)
                    throw new SocketException((int)code);
                HasPeerClosed = read == 0;
                if (HasPeerClosed)
                    break;
                received.Advance(read);
                if ((await ReceiveScheduler.FlushAsync(received)).IsCompleted)
                    break;
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return;
        }
        catch (SocketException e)
        {
            error = e.SocketErrorCode is SocketError.ConnectionReset or SocketError.Shutdown ? new ConnectionResetException(e.Message, e)
                : e.SocketErrorCode is SocketError.OperationAborted or SocketError.Interrupted ? Aborted : e;
        }
        catch (ObjectDisposedException)
        {
            error = Aborted;
        }
        catch (Exception e)
        {
            error = e; // the server says it
        }

        _hasEnded = true;
        received.Complete(error);
        connection.FireClosed();
    }

    private ConnectionAbortedException Aborted => connection.AbortReason ?? new ConnectionAbortedException();
}
