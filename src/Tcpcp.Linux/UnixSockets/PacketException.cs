namespace Tcpcp.Linux.UnixSockets;

/// <summary>What the other end of a local socket has sent is not what the protocol allows.</summary>
internal sealed class PacketException(string message, Exception? inner = null) : IOException(message, inner);
