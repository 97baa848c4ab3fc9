using Tcpcp.Linux.Diagnostics;

namespace Tcpcp.Cli.Connections;

/// <summary>A connection that was found.</summary>
/// <param name="Socket">Its socket as sock_diag lists it, with the four-tuple.</param>
/// <param name="Owners">The processes that hold it; several when it was inherited or sent. Empty: none, or one that this user may not see.</param>
/// <param name="UnreadableProcesses">Processes whose descriptors this user may not see.</param>
internal sealed record ResolvedConnection(ListedSocket Socket, IReadOnlyList<SocketOwner> Owners, int UnreadableProcesses);

/// <summary>The connection that was asked for is not here; the message says what to do.</summary>
internal sealed class ConnectionNotFoundException(string message) : Exception(message);
