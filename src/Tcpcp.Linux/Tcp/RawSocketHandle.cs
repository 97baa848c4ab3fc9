using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Tcpcp.Linux.Tcp;

/// <summary>
/// A socket that the framework does not know yet. <c>Dispose</c> closes its descriptor and does nothing else: that of <see cref="SafeSocketHandle"/> sets SO_LINGER to 0
/// before, one system call more, and other descriptors of the same socket would reset their connection when they are closed.
/// </summary>
internal sealed partial class RawSocketHandle : SafeHandleZeroOrMinusOneIsInvalid
{
    internal RawSocketHandle(int descriptor)
        : base(ownsHandle: true) => SetHandle(descriptor);

    /// <summary>Makes the framework the owner of the descriptor; this handle is closed.</summary>
    public SafeSocketHandle HandOver()
    {
        ObjectDisposedException.ThrowIf(IsClosed, this);
        SafeSocketHandle owner = new(handle, ownsHandle: true);
        SetHandleAsInvalid();
        return owner;
    }

    /// <summary>The framework's socket of a handle: one of its own, or a raw one, which is handed over.</summary>
    public static Socket SocketOf(SafeHandle handle) => new(handle is RawSocketHandle raw ? raw.HandOver() : (SafeSocketHandle)handle);

    protected override bool ReleaseHandle() => close((int)handle) == 0;

    [LibraryImport("libc")]
    private static partial int close(int descriptor);
}
