using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Tcpcp.Linux.Streams;

/// <summary>
/// Waits for many descriptors at once (epoll(7)). Each change of readiness is told once (EPOLLET): whoever is told uses the descriptor until it would block. One thread
/// waits; any thread may add, remove and wake.
/// </summary>
[KernelHeader("sys/epoll.h", "sys/eventfd.h")]
internal sealed unsafe partial class ReadinessPoll : IDisposable
{
    private const int EPOLL_CLOEXEC = 0x80000;
    private const int EPOLL_CTL_ADD = 1;
    private const int EPOLL_CTL_DEL = 2;
    private const uint EPOLLIN = 0x1;
    private const uint EPOLLOUT = 0x4;
    private const uint EPOLLERR = 0x8;
    private const uint EPOLLHUP = 0x10;
    private const uint EPOLLRDHUP = 0x2000;
    private const uint EPOLLET = 1u << 31;
    private const int EFD_CLOEXEC = 0x80000;
    private const int EFD_NONBLOCK = 0x800;
    private const ulong WakeKey = ulong.MaxValue;
    private const int MaxEvents = 256;

    // struct epoll_event is packed on x86-64 alone.
    private static readonly int s_eventBytes = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 12 : 16;
    private static readonly int s_dataOffset = s_eventBytes - sizeof(ulong);

    private readonly SafeFileHandle _poll;
    private readonly SafeFileHandle _wake;
    private readonly byte[] _events = GC.AllocateArray<byte>(MaxEvents * 16, pinned: true);

    private ReadinessPoll(SafeFileHandle poll, SafeFileHandle wake) => (_poll, _wake) = (poll, wake);

    public static ReadinessPoll Open()
    {
        int poll = epoll_create1(EPOLL_CLOEXEC);
        if (poll < 0)
            throw KernelException.Last("epoll_create1");
        SafeFileHandle owner = new(poll, ownsHandle: true);
        int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (wake < 0)
        {
            KernelException failure = KernelException.Last("eventfd");
            owner.Dispose();
            throw failure;
        }

        ReadinessPoll made = new(owner, new SafeFileHandle(wake, ownsHandle: true));
        made.Add(made._wake, WakeKey);
        return made;
    }

    /// <summary>From now on tells when the descriptor becomes ready; at first, if it is.</summary>
    /// <param name="key">What it is called; not the largest number.</param>
    public void Add(SafeHandle descriptor, ulong key)
    {
        byte* request = stackalloc byte[16];
        BinaryPrimitives.WriteUInt32LittleEndian(new Span<byte>(request, 4), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
        BinaryPrimitives.WriteUInt64LittleEndian(new Span<byte>(request + s_dataOffset, sizeof(ulong)), key);
        if (epoll_ctl(_poll, EPOLL_CTL_ADD, descriptor, request) != 0)
            throw KernelException.Last("epoll_ctl(EPOLL_CTL_ADD)");
    }

    /// <summary>Tells nothing of the descriptor any more, but for what a wait has found already.</summary>
    public void Remove(SafeHandle descriptor)
    {
        byte* request = stackalloc byte[16];
        if (epoll_ctl(_poll, EPOLL_CTL_DEL, descriptor, request) != 0)
            throw KernelException.Last("epoll_ctl(EPOLL_CTL_DEL)");
    }

    /// <summary>Ends the wait that is under way, or the next one.</summary>
    public void Wake()
    {
        ulong one = 1;
        write(_wake, &one, sizeof(ulong)); // full: it is awake anyway
    }

    /// <param name="ready">Gets what is ready.</param>
    /// <param name="timeoutMilliseconds">-1: for ever.</param>
    /// <returns>How many.</returns>
    public int Wait(Span<ReadyDescriptor> ready, int timeoutMilliseconds)
    {
        int count;
        fixed (byte* events = _events)
            count = epoll_wait(_poll, events, Math.Min(ready.Length, MaxEvents), timeoutMilliseconds);
        if (count < 0)
            return Marshal.GetLastPInvokeError() == Errno.EINTR ? 0 : throw KernelException.Last("epoll_wait");
        int told = 0;
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> one = _events.AsSpan(i * s_eventBytes, s_eventBytes);
            ulong key = BinaryPrimitives.ReadUInt64LittleEndian(one[s_dataOffset..]);
            if (key == WakeKey)
            {
                ulong drained;
                read(_wake, &drained, sizeof(ulong));
            }
            else
            {
                ready[told++] = new ReadyDescriptor(key, ReadinessOf(BinaryPrimitives.ReadUInt32LittleEndian(one)));
            }
        }

        return told;
    }

    public void Dispose()
    {
        _poll.Dispose();
        _wake.Dispose();
    }

    private static Readiness ReadinessOf(uint events)
    {
        Readiness readiness = Readiness.None;
        if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
            readiness |= Readiness.Readable;
        if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0)
            readiness |= Readiness.Writable;
        if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
            readiness |= Readiness.Ending;
        return readiness;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int epoll_create1(int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int eventfd(uint initial, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int epoll_ctl(SafeHandle poll, int operation, SafeHandle descriptor, byte* request);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int epoll_wait(SafeHandle poll, byte* events, int count, int timeout);

    [LibraryImport("libc")]
    private static partial nint read(SafeHandle descriptor, void* buffer, nuint length);

    [LibraryImport("libc")]
    private static partial nint write(SafeHandle descriptor, void* buffer, nuint length);
}
