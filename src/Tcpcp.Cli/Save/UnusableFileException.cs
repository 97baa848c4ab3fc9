namespace Tcpcp.Cli.Save;

/// <summary>The file cannot be revived, or must not be; the message says why and what to do.</summary>
internal sealed class UnusableFileException(string message, Exception? inner = null) : Exception(message, inner);
