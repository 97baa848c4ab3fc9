using Microsoft.Win32.SafeHandles;

namespace Tcpcp.Linux.Processes;

/// <summary>
/// A second descriptor of an open file that another process has. Both share the file's status (O_NONBLOCK, linger): it must stay as it is.
/// So this is no SafeSocketHandle, whose <c>Dispose</c> sets SO_LINGER to 0 before it closes: the owner's own close would send an RST then.
/// </summary>
internal sealed class DuplicatedDescriptor : SafeHandleZeroOrMinusOneIsInvalid
{
    internal DuplicatedDescriptor(nint descriptor)
        : base(ownsHandle: true) => SetHandle(descriptor);

    protected override bool ReleaseHandle()
    {
        using SafeFileHandle file = new(handle, ownsHandle: true);
        return true;
    }
}
