namespace Tcpcp.Linux.Netlink;

/// <summary>What the kernel said to the messages of one transaction: 0, or the first error.</summary>
/// <param name="Errno">Error number, or 0.</param>
/// <param name="Reason">The kernel's own explanation (extended acknowledgement), if it gave one.</param>
/// <param name="FailedMessage">Index in the buffer of the message that failed, or -1.</param>
internal readonly record struct NetlinkOutcome(int Errno, string? Reason, int FailedMessage)
{
    public static NetlinkOutcome Success { get; } = new(0, null, -1);

    public bool Succeeded => Errno == 0;

    /// <exception cref="KernelException">The transaction failed.</exception>
    public void ThrowIfFailed(string operation, string? subject = null)
    {
        if (Errno == 0)
            return;
        string? detail = (subject, Reason) switch
        {
            (null, _) => Reason,
            (_, null) => subject,
            _ => $"{subject}: {Reason}",
        };
        throw KernelException.Of(operation, Errno, detail);
    }
}
