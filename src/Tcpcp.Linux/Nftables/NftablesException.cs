namespace Tcpcp.Linux.Nftables;

/// <summary>libnftables refused commands; none of them took effect.</summary>
internal sealed class NftablesException(string reason, string commands) : IOException($"nftables: {reason.Trim()}\nin: {commands.Trim()}")
{
    /// <summary>The library's text, with the place in the commands.</summary>
    public string Reason { get; } = reason.Trim();
}
