namespace Tcpcp.Linux.Processes;

/// <summary>Something about another process does not work; the message says what to do about it.</summary>
internal sealed class ProcessException(string message, Exception? inner = null) : IOException(message, inner);
