using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Tcpcp.Linux.Netlink;

/// <summary>
/// A netlink socket in the network namespace of the thread that opens it; it stays there whichever thread uses it later.
/// Blocking, with a limit of five seconds on each answer, so that a lost answer is an error (EAGAIN) and not a hang. One transaction at a time.
/// </summary>
[KernelHeader("linux/netlink.h")]
internal sealed partial class NetlinkSocket : IDisposable
{
    /// <summary>NETLINK_ROUTE: links, addresses, routes, neighbours.</summary>
    public const int NETLINK_ROUTE = 0;

    /// <summary>NETLINK_SOCK_DIAG.</summary>
    public const int NETLINK_SOCK_DIAG = 4;

    /// <summary>NETLINK_NETFILTER: nftables and conntrack.</summary>
    public const int NETLINK_NETFILTER = 12;

    private const int MaxDumpAttempts = 8;

    private readonly Lock _lock = new();
    private readonly byte[] _answer = new byte[64 * 1024];
    private readonly SafeFileHandle _handle;

    private NetlinkSocket(SafeFileHandle handle) => _handle = handle;

    /// <summary>Opens a socket of a netlink protocol, such as <see cref="NETLINK_ROUTE"/>.</summary>
    public static NetlinkSocket Open(int protocol) => new(NetlinkSystemCalls.Open(protocol));

    public void Dispose() => _handle.Dispose();

    /// <summary>Sends the messages and waits for the acknowledgements of those that asked for one.</summary>
    /// <param name="operation">What this is, for the exception: <c>RTM_NEWADDR</c>.</param>
    /// <param name="subject">What it is done to.</param>
    /// <exception cref="KernelException">The kernel refused a message; the text has the kernel's own explanation if there is one.</exception>
    public void Transact(NetlinkMessage message, string operation, string? subject = null) =>
        TryTransact(message).ThrowIfFailed(operation, subject);

    /// <summary>As <see cref="Transact"/>, but a refusal is a result.</summary>
    /// <param name="replies">Gets what the kernel answers besides the acknowledgements.</param>
    public NetlinkOutcome TryTransact(NetlinkMessage message, ICollection<NetlinkReply>? replies = null)
    {
        lock (_lock)
        {
            PendingAnswers pending = new(message.Bytes);
            NetlinkSystemCalls.Send(_handle, message.Bytes);
            while (pending.Waiting)
                pending.Take(_answer.AsSpan(0, NetlinkSystemCalls.Receive(_handle, _answer)), replies);
            // The kernel works while send() runs: all answers are there, and those behind an error must not meet the next transaction.
            while (!pending.Outcome.Succeeded && NetlinkSystemCalls.TryReceive(_handle, _answer, out int bytes))
                pending.Take(_answer.AsSpan(0, bytes), replies);
            return pending.Outcome;
        }
    }

    /// <summary>Sends one request with <see cref="NetlinkFlags.Dump"/> and returns the whole list; starts again when it changed meanwhile.</summary>
    public IReadOnlyList<NetlinkReply> Dump(NetlinkMessage message, string operation)
    {
        lock (_lock)
        {
            for (int attempt = 1; ; attempt++)
            {
                List<NetlinkReply> replies = [];
                PendingAnswers pending = new(message.Bytes) { UntilDone = true };
                NetlinkSystemCalls.Send(_handle, message.Bytes);
                while (pending.Waiting)
                    pending.Take(_answer.AsSpan(0, NetlinkSystemCalls.Receive(_handle, _answer)), replies);
                pending.Outcome.ThrowIfFailed(operation);
                if (!pending.Interrupted)
                    return replies;
                if (attempt == MaxDumpAttempts)
                    throw KernelException.Of(operation, Errno.EINTR, "the list changed during each of 8 attempts");
            }
        }
    }
}
