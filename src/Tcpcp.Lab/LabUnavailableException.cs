namespace Tcpcp.Lab;

/// <summary>This process or this machine cannot make a lab; the message says what is missing.</summary>
public sealed class LabUnavailableException(string message) : InvalidOperationException(message);
