using System.Runtime.InteropServices;
using Google.Protobuf;
using Tcpcp.Core.Wire;
using Tcpcp.Linux;
using Tcpcp.Linux.UnixSockets;

namespace Tcpcp.Relay.Control;

/// <summary>One end of a control socket's connection. One sender and one receiver at a time.</summary>
internal sealed class ControlConversation(SequencedPacketSocket socket) : IDisposable
{
    public const int MaxPacketBytes = 16 << 10;

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);

    /// <param name="descriptors">That go with it; they stay the caller's.</param>
    /// <exception cref="KernelException">The other end has closed, or does not receive.</exception>
    public async Task SendAsync(RelayMessage message, params IReadOnlyList<SafeHandle> descriptors)
    {
        byte[] packet = message.ToByteArray();
        while (!socket.TrySend(packet, descriptors))
        {
            if (!await socket.WaitForRoomAsync(s_patience))
                throw KernelException.Of("send", Errno.ETIMEDOUT);
        }
    }

    /// <returns>Null when the other end has closed.</returns>
    public async Task<RelayMessage?> ReceiveAsync(CancellationToken cancellationToken)
    {
        using ReceivedPacket? packet = await socket.ReceiveAsync(cancellationToken);
        return packet is null ? null : RelayMessage.Parser.ParseFrom(packet.Data);
    }

    /// <summary>With the descriptors that came; null when the other end has closed.</summary>
    public async Task<(RelayMessage Message, ReceivedPacket Packet)?> ReceivePacketAsync(CancellationToken cancellationToken)
    {
        ReceivedPacket? packet = await socket.ReceiveAsync(cancellationToken);
        try
        {
            return packet is null ? null : (RelayMessage.Parser.ParseFrom(packet.Data), packet);
        }
        catch
        {
            packet?.Dispose();
            throw;
        }
    }

    public void Dispose() => socket.Close();
}
