namespace Tcpcp.Agent.Link;

/// <summary>Certificate files that cannot be used. The message names the file and says what is wrong with it.</summary>
internal sealed class CertificateException(string message, Exception? inner = null) : Exception(message, inner);
