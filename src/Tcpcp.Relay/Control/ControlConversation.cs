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

    /// <exception cref="KernelException">The other end has closed, or does not receive.</exception>
    public async Task SendAsync(RelayMessage message)
    {
        byte[] packet = message.ToByteArray();
        while (!socket.TrySend(packet, []))
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

    public void Dispose() => socket.Close();
}
