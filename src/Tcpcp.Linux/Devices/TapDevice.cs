using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Tcpcp.Linux.Devices;

/// <summary>
/// A TAP interface of this process (linux/if_tun.h): frames that the kernel sends out of it are read, frames that are written arrive on it. It
/// carries segmentation and checksum offload both ways: each frame is behind a struct virtio_net_hdr of <see cref="HeaderBytes"/> bytes, so that
/// frames larger than the MTU and checksums left to the hardware go through unchanged. The interface is gone when the descriptor is closed.
/// </summary>
[KernelHeader("sys/ioctl.h", "linux/if_tun.h", "fcntl.h")]
internal sealed unsafe partial class TapDevice : IPacketDevice
{
    /// <summary>Size of struct virtio_net_hdr (linux/virtio_net.h).</summary>
    public const int HeaderBytes = 10;

    /// <summary>Offset of the network header: behind struct virtio_net_hdr and the Ethernet header.</summary>
    public const int NetworkOffset = HeaderBytes + 14;

    /// <summary>The largest frame: 64 KiB of IP packet, and the headers before it.</summary>
    public const int MaxFrameBytes = NetworkOffset + 65536;

    private const nuint TUNSETIFF = 0x400454CA; // linux/if_tun.h
    private const nuint TUNSETOFFLOAD = 0x400454D0;
    private const short IFF_TAP = 0x0002;
    private const short IFF_NO_PI = 0x1000;
    private const short IFF_VNET_HDR = 0x4000;
    private const uint TUN_F_CSUM = 0x01;
    private const uint TUN_F_TSO4 = 0x02;
    private const uint TUN_F_TSO6 = 0x04;
    private const uint TUN_F_TSO_ECN = 0x08;

    private readonly SafeFileHandle _handle;

    private TapDevice(SafeFileHandle handle, string name)
    {
        _handle = handle;
        Name = name;
    }

    public string Name { get; }

    /// <summary>Makes the interface, down, in the network namespace of the calling thread.</summary>
    public static TapDevice Create(string name)
    {
        SafeFileHandle handle;
        try
        {
            handle = File.OpenHandle("/dev/net/tun", FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, FileOptions.None);
        }
        catch (FileNotFoundException e)
        {
            throw new FileNotFoundException("/dev/net/tun is missing: load the kernel module tun (modprobe tun).", e);
        }

        Span<byte> request = stackalloc byte[40]; // struct ifreq
        request.Clear();
        Encoding.ASCII.GetBytes(name, request[..15]);
        MemoryMarshal.Write(request[16..], (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR));
        fixed (byte* pointer = request)
        {
            if (ioctl(handle, TUNSETIFF, (nuint)pointer) != 0)
                throw Failed(handle, "ioctl(TUNSETIFF)", name);
        }

        if (ioctl(handle, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN) != 0)
            throw Failed(handle, "ioctl(TUNSETOFFLOAD)", name);
        int flags = fcntl(handle, F_GETFL, 0);
        if (flags < 0 || fcntl(handle, F_SETFL, flags | O_NONBLOCK) != 0)
            throw Failed(handle, "fcntl(O_NONBLOCK)", name);
        return new TapDevice(handle, name);
    }

    public int TryRead(Span<byte> frame)
    {
        fixed (byte* pointer = frame)
        {
            nint count = read(_handle, pointer, (nuint)frame.Length);
            if (count >= 0)
                return (int)count;
            return Marshal.GetLastPInvokeError() is Errno.EAGAIN or Errno.EINTR ? 0 : throw KernelException.Last("read(tap)", Name);
        }
    }

    /// <inheritdoc/>
    /// <remarks>It has gone through the stack when this returns.</remarks>
    public void Write(ReadOnlySpan<byte> frame)
    {
        fixed (byte* pointer = frame)
        {
            if (write(_handle, pointer, (nuint)frame.Length) < 0)
                throw KernelException.Last("write(tap)", Name);
        }
    }

    public bool WaitForFrame(int timeoutMilliseconds) => DescriptorPoll.WaitToRead(_handle, timeoutMilliseconds);

    public int TakeLost() => 0;

    public void Dispose() => _handle.Dispose();

    private static KernelException Failed(SafeFileHandle handle, string call, string name)
    {
        KernelException exception = KernelException.Last(call, name);
        handle.Dispose();
        return exception;
    }

    private const int F_GETFL = 3; // fcntl.h
    private const int F_SETFL = 4;
    private const int O_NONBLOCK = 0x800;

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ioctl(SafeHandle fd, nuint request, nuint argument);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fcntl(SafeHandle fd, int command, int argument);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint read(SafeHandle fd, byte* buffer, nuint length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint write(SafeHandle fd, byte* buffer, nuint length);
}
