using System.Buffers;
using System.Runtime.InteropServices;
using Google.Protobuf;
using Tcpcp.Core.Wire;
using Tcpcp.Linux;
using Tcpcp.Linux.Processes;
using Tcpcp.Linux.UnixSockets;

namespace Tcpcp.LocalApi;

/// <summary>
/// Sends messages in order without ever waiting: what the other end does not take yet is kept, up to a bound. Whoever does not receive for too long is
/// given up. Thread-safe.
/// </summary>
/// <param name="capacity">How many packets are kept.</param>
/// <param name="patience">How long the other end may take nothing.</param>
/// <param name="givenUp">Hears once why the other end was given up. Called under no lock.</param>
internal sealed class PacketOutbox(SequencedPacketSocket socket, int capacity, TimeSpan patience, Action<string> givenUp)
{
    private readonly Queue<Waiting> _waiting = new();
    private readonly Lock _lock = new();
    private TaskCompletionSource _room = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _isPumping;
    private bool _isClosed;

    /// <summary>Sends a message, now or as soon as the other end takes it.</summary>
    /// <param name="descriptors">They stay the caller's; those of a packet that is kept are duplicated.</param>
    /// <returns>False if nobody is there any more, or too many packets wait already: then the other end is given up.</returns>
    public bool TryPost(LocalMessage message, IReadOnlyList<SafeHandle> descriptors)
    {
        string? reason = Post(message, descriptors, isPatient: false, out bool isPosted);
        if (reason is not null)
            givenUp(reason);
        return isPosted;
    }

    /// <summary>Sends a message; waits for room as long as too many packets are kept.</summary>
    /// <returns>False if nobody is there any more.</returns>
    public async ValueTask<bool> PostAsync(LocalMessage message, IReadOnlyList<SafeHandle> descriptors, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task room;
            lock (_lock)
                room = _room.Task;
            string? reason = Post(message, descriptors, isPatient: true, out bool isPosted);
            if (reason is not null)
                givenUp(reason);
            if (isPosted || Volatile.Read(ref _isClosed))
                return isPosted;
            await room.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Sends nothing any more and drops what is kept.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _isClosed = true;
            while (_waiting.TryDequeue(out Waiting? kept))
                kept.Dispose();
            _room.TrySetResult();
        }
    }

    // The reason to give the other end up, if there is one.
    private string? Post(LocalMessage message, IReadOnlyList<SafeHandle> descriptors, bool isPatient, out bool isPosted)
    {
        int length = message.CalculateSize();
        byte[] packet = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            message.WriteTo(packet.AsSpan(0, length));
            lock (_lock)
            {
                isPosted = !_isClosed;
                if (_isClosed)
                    return null;
                if (!_isPumping && socket.TrySend(packet.AsSpan(0, length), descriptors))
                    return null;
                isPosted = _waiting.Count < capacity;
                if (!isPosted)
                    return isPatient ? null : $"It does not receive: {capacity} packets wait for it.";
                _waiting.Enqueue(new Waiting(packet.AsSpan(0, length).ToArray(), [.. descriptors.Select(DuplicatedDescriptor.Of)]));
                if (!_isPumping)
                    _ = PumpAsync();
                _isPumping = true;
                return null;
            }
        }
        catch (ObjectDisposedException e) when (!socket.IsDisposed)
        {
            throw new ArgumentException("A descriptor that was to be sent is closed.", nameof(descriptors), e);
        }
        catch (Exception e) when (e is KernelException or ObjectDisposedException)
        {
            Close();
            isPosted = false;
            return e is KernelException { Errno: Errno.EPIPE or Errno.ECONNRESET } or ObjectDisposedException ? "It has closed." : e.Message;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(packet);
        }
    }

    private async Task PumpAsync()
    {
        await Task.Yield(); // out of the caller's lock
        string? reason = null;
        while (reason is null)
        {
            try
            {
                if (SendWaiting())
                    return;
                if (!await socket.WaitForRoomAsync(patience))
                    reason = $"It has received nothing for {patience.TotalSeconds} s.";
            }
            catch (Exception e) when (e is KernelException or ObjectDisposedException)
            {
                reason = e is KernelException { Errno: not (Errno.EPIPE or Errno.ECONNRESET) } ? e.Message : "It has closed.";
            }
        }

        Close();
        givenUp(reason);
    }

    // True when nothing is left to wait for.
    private bool SendWaiting()
    {
        lock (_lock)
        {
            while (_waiting.TryPeek(out Waiting? next))
            {
                if (!socket.TrySend(next.Packet, next.Descriptors))
                    return false;
                _waiting.Dequeue().Dispose();
                _room.TrySetResult();
                _room = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }

            _isPumping = false;
            return true;
        }
    }

    private sealed record Waiting(byte[] Packet, DuplicatedDescriptor[] Descriptors) : IDisposable
    {
        public void Dispose()
        {
            foreach (DuplicatedDescriptor descriptor in Descriptors)
                descriptor.Dispose();
        }
    }
}
