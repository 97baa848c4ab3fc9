using System.Collections;
using System.Runtime.InteropServices;
using Tcpcp.Linux.Namespaces;

namespace Tcpcp.Linux.Processes;

/// <summary>
/// Becomes another program (execve(2)) in the same process, with given descriptors beside those of standard input, output and error.
/// Everything else is closed.
/// </summary>
/// <param name="Path">The executable.</param>
/// <param name="Arguments">With the program's name.</param>
[KernelHeader("sched.h", "fcntl.h", "signal.h")]
internal sealed unsafe partial record ProgramImage(string Path, IReadOnlyList<string> Arguments)
{
    private const int CLONE_FILES = 0x400; // sched.h
    private const int F_SETFD = 2; // fcntl.h
    private const int SIGPIPE = 13; // signal.h

    /// <summary>Becomes the program. Returns only if that fails; this process is as before then.</summary>
    /// <param name="environment">Variables to set; null takes one away.</param>
    /// <param name="handle">A descriptor that the program gets.</param>
    /// <param name="numbers">The numbers under which it gets it.</param>
    public KernelException Execute(IReadOnlyDictionary<string, string?> environment, SafeHandle handle, params int[] numbers)
    {
        using NativeStrings arguments = new(Arguments);
        using NativeStrings variables = new(EnvironmentWith(environment));
        int errno = 0;
        string call = "";
        // On a thread with descriptors of its own: those that the runtime has under these numbers must not be exchanged under its feet; a
        // byte that it writes there would reach the peer.
        int descriptor = (int)handle.DangerousGetHandle();
        HomeThread.StartThread("tcpcp exec", () => (call, errno) = ExecuteOnThisThread(arguments, variables, descriptor, numbers)).Join();
        GC.KeepAlive(handle);
        return KernelException.Of(call, errno, Path);
    }

    private (string Call, int Errno) ExecuteOnThisThread(NativeStrings arguments, NativeStrings variables, int descriptor, int[] numbers)
    {
        if (unshare(CLONE_FILES) != 0)
            return ("unshare(CLONE_FILES)", Marshal.GetLastPInvokeError());
        foreach (int number in numbers)
        {
            // dup2 of a descriptor onto itself does nothing: it would be closed on exec.
            if ((number == descriptor ? fcntl(number, F_SETFD, 0) : dup2(descriptor, number)) < 0)
                return ("dup2", Marshal.GetLastPInvokeError());
        }

        nint ignored = signal(SIGPIPE, 0); // the runtime ignores it, and that would be inherited; handlers are not
        nint path = Marshal.StringToCoTaskMemUTF8(Path);
        _ = execve((byte*)path, arguments.Pointer, variables.Pointer);
        int errno = Marshal.GetLastPInvokeError();
        Marshal.FreeCoTaskMem(path);
        _ = signal(SIGPIPE, ignored);
        return ("execve", errno);
    }

    private static string[] EnvironmentWith(IReadOnlyDictionary<string, string?> changes)
    {
        Dictionary<string, string?> variables = new(StringComparer.Ordinal);
        foreach (DictionaryEntry variable in Environment.GetEnvironmentVariables())
            variables[(string)variable.Key] = (string?)variable.Value ?? "";
        foreach ((string name, string? value) in changes)
            variables[name] = value;
        return [.. variables.Where(variable => variable.Value is not null).Select(variable => $"{variable.Key}={variable.Value}")];
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int unshare(int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fcntl(int fd, int command, nint argument);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int dup2(int from, int to);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint signal(int number, nint handler);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int execve(byte* path, byte** arguments, byte** environment);
}
