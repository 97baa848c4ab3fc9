using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Tcpcp.Linux.Processes;

/// <summary>
/// A second descriptor of an open file, of which somebody else has the first. Both share the file's status (O_NONBLOCK, linger): it must stay as it is.
/// So this is no SafeSocketHandle, whose <c>Dispose</c> sets SO_LINGER to 0 before it closes: the owner's own close would send an RST then.
/// </summary>
[KernelHeader("fcntl.h")]
internal sealed partial class DuplicatedDescriptor : SafeHandleZeroOrMinusOneIsInvalid
{
    private const int F_DUPFD_CLOEXEC = 1030; // linux/fcntl.h

    internal DuplicatedDescriptor(nint descriptor)
        : base(ownsHandle: true) => SetHandle(descriptor);

    /// <summary>A second descriptor of an open file of this process, closed on exec.</summary>
    public static DuplicatedDescriptor Of(SafeHandle file)
    {
        int duplicate = fcntl(file, F_DUPFD_CLOEXEC, 0);
        return duplicate >= 0 ? new DuplicatedDescriptor(duplicate) : throw KernelException.Last("fcntl(F_DUPFD_CLOEXEC)");
    }

    /// <summary>Gives the descriptor away: this handle does not close it any more.</summary>
    public nint Detach()
    {
        ObjectDisposedException.ThrowIf(IsClosed, this);
        nint descriptor = handle;
        SetHandleAsInvalid();
        return descriptor;
    }

    protected override bool ReleaseHandle()
    {
        using SafeFileHandle file = new(handle, ownsHandle: true);
        return true;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fcntl(SafeHandle fd, int command, nint argument);
}
