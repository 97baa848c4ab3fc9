using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Tcpcp.Linux.Processes;

/// <summary>A pidfd: names one process for as long as it is open, even when its number is given to another.</summary>
[KernelHeader("sys/syscall.h", "sys/wait.h", "signal.h")]
internal sealed partial class ProcessDescriptor : SafeHandleZeroOrMinusOneIsInvalid
{
    private const nint SYS_pidfd_send_signal = 424; // asm-generic/unistd.h
    private const nint SYS_pidfd_open = 434;
    private const nint SYS_pidfd_getfd = 438; // Linux 5.6
    private const int P_PIDFD = 3; // sys/wait.h
    private const int WEXITED = 4;
    private const int CLD_EXITED = 1; // siginfo.h
    private const int SignalInformationBytes = 128;
    private const int CodeOffset = 8; // siginfo_t of SIGCHLD, x86-64 and arm64
    private const int StatusOffset = 24;
    private const int SignalledBase = 128;

    private ProcessDescriptor(nint descriptor)
        : base(ownsHandle: true) => SetHandle(descriptor);

    public static ProcessDescriptor Open(int processId)
    {
        nint descriptor = syscall(SYS_pidfd_open, processId, 0, 0, 0);
        return descriptor >= 0
            ? new ProcessDescriptor(descriptor)
            : throw KernelException.Last("pidfd_open", $"process {processId}");
    }

    /// <summary>The number that the mounted /proc gives the process; null if it shows none, or the process has ended.</summary>
    public int? NumberInProc
    {
        get
        {
            const string Field = "Pid:";
            string line = File.ReadLines(string.Create(CultureInfo.InvariantCulture, $"/proc/self/fdinfo/{handle}"))
                .First(line => line.StartsWith(Field, StringComparison.Ordinal));
            int number = int.Parse(line.AsSpan(Field.Length).Trim(), CultureInfo.InvariantCulture);
            return number > 0 ? number : null;
        }
    }

    /// <summary>Makes a descriptor of our own of an open file of the process (CAP_SYS_PTRACE, or the same user).</summary>
    /// <param name="descriptor">The number that the process has for it.</param>
    public DuplicatedDescriptor Duplicate(int descriptor)
    {
        bool added = false;
        try
        {
            DangerousAddRef(ref added);
            nint duplicate = syscall(SYS_pidfd_getfd, handle, descriptor, 0, 0);
            return duplicate >= 0
                ? new DuplicatedDescriptor(duplicate)
                : throw KernelException.Last("pidfd_getfd", $"descriptor {descriptor}");
        }
        finally
        {
            if (added)
                DangerousRelease();
        }
    }

    /// <returns>False if the process has ended.</returns>
    public bool Signal(int signal)
    {
        bool added = false;
        try
        {
            DangerousAddRef(ref added);
            if (syscall(SYS_pidfd_send_signal, handle, signal, 0, 0) == 0)
                return true;
            return Marshal.GetLastPInvokeError() == Errno.ESRCH ? false : throw KernelException.Last("pidfd_send_signal", $"signal {signal}");
        }
        finally
        {
            if (added)
                DangerousRelease();
        }
    }

    /// <summary>Waits until this child of ours ends, and reaps it.</summary>
    /// <returns>Its exit code, or 128 + the signal that killed it.</returns>
    public int WaitForExit()
    {
        Span<byte> information = stackalloc byte[SignalInformationBytes];
        while (waitid(P_PIDFD, (uint)handle, information, WEXITED) != 0)
        {
            if (Marshal.GetLastPInvokeError() != Errno.EINTR)
                throw KernelException.Last("waitid");
        }

        int status = MemoryMarshal.Read<int>(information[StatusOffset..]);
        return MemoryMarshal.Read<int>(information[CodeOffset..]) == CLD_EXITED ? status : SignalledBase + status;
    }

    protected override bool ReleaseHandle()
    {
        using SafeFileHandle file = new(handle, ownsHandle: true);
        return true;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint syscall(nint number, nint first, nint second, nint third, nint fourth);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int waitid(int kind, uint id, Span<byte> information, int options);
}
