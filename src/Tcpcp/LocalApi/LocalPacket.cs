using Google.Protobuf;
using Microsoft.Win32.SafeHandles;
using Tcpcp.Core.Wire;
using Tcpcp.Linux.UnixSockets;

namespace Tcpcp.LocalApi;

/// <summary>A message of the local protocol and what came with it. Disposing closes the descriptors that were not taken.</summary>
internal sealed class LocalPacket : IDisposable
{
    private LocalPacket(LocalMessage message, ReceivedDescriptors descriptors) => (Message, Descriptors) = (message, descriptors);

    public LocalMessage Message { get; }

    public ReceivedDescriptors Descriptors { get; }

    /// <exception cref="PacketException">It is no message; its descriptors are closed.</exception>
    public static LocalPacket Of(ReceivedPacket packet)
    {
        try
        {
            return new LocalPacket(LocalMessage.Parser.ParseFrom(packet.Data), packet.Descriptors);
        }
        catch (InvalidProtocolBufferException e)
        {
            packet.Dispose();
            throw new PacketException("A packet came that is not a LocalMessage.", e);
        }
    }

    /// <summary>An application's state, out of the message or the last descriptor.</summary>
    /// <param name="sockets">How many descriptors are sockets; the state's is the one behind them.</param>
    /// <exception cref="PacketException">Another number of descriptors came, or the state is not as it may be.</exception>
    public ReadOnlyMemory<byte> ReadState(ByteString inline, bool isInDescriptor, int sockets)
    {
        RequireDescriptors(sockets + (isInDescriptor ? 1 : 0));
        if (!isInDescriptor)
            return inline.Memory;
        using SafeFileHandle file = Descriptors.TakeFile(sockets);
        return SealedMemory.Read(file, LocalProtocol.MaxStateBytes);
    }

    /// <exception cref="PacketException">Another number came.</exception>
    public void RequireDescriptors(int count)
    {
        if (Descriptors.Count != count)
            throw new PacketException($"{Message.BodyCase} came with {Descriptors.Count} descriptors; {count} belong to it.");
    }

    public void Dispose() => Descriptors.Dispose();
}
