namespace Tcpcp.Relay.Servers;

/// <summary>What a check of a server has found.</summary>
/// <param name="Code">connected, refused, timeout, unreachable or the kernel's error number.</param>
internal sealed record CheckResult(bool IsGood, string Code, TimeSpan Duration);
