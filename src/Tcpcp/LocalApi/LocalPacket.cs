using Google.Protobuf;
using Microsoft.Win32.SafeHandles;
using Tcpcp.Core.Wire;
using Tcpcp.Linux.UnixSockets;

namespace Tcpcp.LocalApi;

/// <summary>A message of the local protocol and what came with it. Disposing closes the descriptors that were not taken.</summary>
internal sealed class LocalPacket : IDisposable
{
    private const int FirstBody = LocalMessage.HelloFieldNumber;
    private const int LastBody = LocalMessage.SettledFieldNumber;

    private LocalPacket(LocalMessage message, ReceivedDescriptors descriptors) => (Message, Descriptors) = (message, descriptors);

    public LocalMessage Message { get; }

    public ReceivedDescriptors Descriptors { get; }

    /// <exception cref="PacketException">It is no message; its descriptors are closed.</exception>
    public static LocalPacket Of(ReceivedPacket packet)
    {
        try
        {
            if (CountBodies(packet.Data) <= 1)
                return new LocalPacket(LocalMessage.Parser.ParseFrom(packet.Data), packet.Descriptors);
        }
        catch (InvalidProtocolBufferException e)
        {
            packet.Dispose();
            throw new PacketException("A packet came that is not a LocalMessage.", e);
        }

        packet.Dispose();
        throw new PacketException("A packet came that says several things.");
    }

    // Each that comes again would be merged with all of those before, in a time and a memory that grow with the square of their number.
    private static int CountBodies(byte[] data)
    {
        int bodies = 0;
        CodedInputStream input = new(data);
        for (uint tag; (tag = input.ReadTag()) != 0; input.SkipLastField())
        {
            if (WireFormat.GetTagFieldNumber(tag) is >= FirstBody and <= LastBody)
                bodies++;
        }

        return bodies;
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
