using System.Runtime.InteropServices;
using Tcpcp.Core.Wire;
using Tcpcp.Linux;
using Tcpcp.Linux.UnixSockets;

namespace Tcpcp.LocalApi;

/// <summary>One end of a conversation between an agent and a program of its host. One receiver at a time, any thread may send.</summary>
internal sealed class LocalChannel : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);

    private readonly SequencedPacketSocket _socket;
    private readonly PacketOutbox _outbox;

    /// <param name="socket">This owns it.</param>
    /// <param name="capacity">How many packets are kept for an end that does not receive.</param>
    public LocalChannel(SequencedPacketSocket socket, int capacity)
    {
        _socket = socket;
        _outbox = new PacketOutbox(socket, capacity, s_patience, GiveUp);
    }

    /// <summary>Why the other end was given up; null if it was not.</summary>
    public string? GivenUp { get; private set; }

    /// <summary>Sends without waiting. See <see cref="PacketOutbox.TryPost"/>.</summary>
    public bool TryPost(LocalMessage message, params IReadOnlyList<SafeHandle> descriptors) => _outbox.TryPost(message, descriptors);

    /// <summary>Sends, and waits for room if need be. See <see cref="PacketOutbox.PostAsync"/>.</summary>
    public ValueTask<bool> PostAsync(LocalMessage message, IReadOnlyList<SafeHandle> descriptors, CancellationToken cancellationToken) =>
        _outbox.PostAsync(message, descriptors, cancellationToken);

    /// <returns>The next message; null when the conversation has ended.</returns>
    /// <exception cref="PacketException">What came is no message.</exception>
    public async ValueTask<LocalPacket?> ReceiveAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await _socket.ReceiveAsync(cancellationToken) is { } packet ? LocalPacket.Of(packet) : null;
        }
        catch (Exception e) when (e is ObjectDisposedException or KernelException)
        {
            return null;
        }
    }

    /// <summary>Ends the conversation; what was sent still arrives.</summary>
    public void Close()
    {
        _outbox.Close();
        _socket.Close();
    }

    public void Dispose()
    {
        _outbox.Close();
        _socket.Dispose();
    }

    // Whoever receives finds the end.
    private void GiveUp(string reason)
    {
        GivenUp ??= reason;
        _socket.Close();
    }
}
