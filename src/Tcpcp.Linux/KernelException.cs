using System.ComponentModel;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Tcpcp.Linux;

/// <summary>The kernel refused a system call. The message names the call, the error and, where there is one, the connection.</summary>
public sealed class KernelException : IOException
{
    private KernelException(string call, int errno, string? subject)
        : this(call, errno, string.Create(CultureInfo.InvariantCulture, $"{call}{(subject is null ? "" : $" ({subject})")}: {new Win32Exception(errno).Message} (errno {errno})"), AdviceOn(errno))
    {
    }

    private KernelException(string call, int errno, string answer, string advice)
        : base(answer + advice) => (Call, Errno, Answer) = (call, errno, answer);

    /// <summary>The message without advice.</summary>
    internal string Answer { get; }

    /// <summary>The call and what it was for, such as <c>setsockopt(TCP_REPAIR)</c>.</summary>
    public string Call { get; }

    /// <summary>The error number of the call (errno.h).</summary>
    public int Errno { get; }

    private static string AdviceOn(int errno) =>
        errno is Linux.Errno.ENOSYS or Linux.Errno.ENOPROTOOPT ? ". This kernel does not have it: 'tcpcp doctor' says what is missing" : "";

    /// <summary>The failure of the P/Invoke that has just returned on this thread.</summary>
    internal static KernelException Last(string call, string? subject = null) => new(call, Marshal.GetLastPInvokeError(), subject);

    /// <summary>A failure whose error number came another way, such as in a netlink answer.</summary>
    internal static KernelException Of(string call, int errno, string? subject = null) => new(call, errno, subject);
}
