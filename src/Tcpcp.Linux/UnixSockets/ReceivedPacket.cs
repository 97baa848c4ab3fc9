namespace Tcpcp.Linux.UnixSockets;

/// <summary>One packet, and what came with it.</summary>
internal sealed record ReceivedPacket(byte[] Data, ReceivedDescriptors Descriptors) : IDisposable
{
    public void Dispose() => Descriptors.Dispose();
}
