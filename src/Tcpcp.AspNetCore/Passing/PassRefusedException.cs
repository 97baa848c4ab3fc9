namespace Tcpcp.AspNetCore.Passing;

/// <summary>A connection that stays where it is, and why: one sentence for a person.</summary>
internal sealed class PassRefusedException(string reason) : Exception(reason);
