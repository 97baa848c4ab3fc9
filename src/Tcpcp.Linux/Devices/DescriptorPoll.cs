using System.Runtime.InteropServices;

namespace Tcpcp.Linux.Devices;

/// <summary>Waiting for one descriptor (poll(2)).</summary>
[KernelHeader("poll.h")]
internal static unsafe partial class DescriptorPoll
{
    private const short POLLIN = 1;

    /// <summary>Waits until there is something to read.</summary>
    /// <returns>False if the time is up.</returns>
    public static bool WaitToRead(SafeHandle handle, int timeoutMilliseconds)
    {
        bool referenced = false;
        try
        {
            handle.DangerousAddRef(ref referenced);
            PollDescriptor descriptor = new() { fd = (int)handle.DangerousGetHandle(), events = POLLIN };
            return poll(&descriptor, 1, timeoutMilliseconds) > 0;
        }
        finally
        {
            if (referenced)
                handle.DangerousRelease();
        }
    }

    // struct pollfd (poll.h)
    [KernelHeader("poll.h", Structure = "struct pollfd")]
    [StructLayout(LayoutKind.Sequential)]
    private struct PollDescriptor
    {
        public int fd;
        public short events;
        public short revents;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int poll(PollDescriptor* descriptors, nuint count, int timeout);
}
