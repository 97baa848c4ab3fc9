using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Tcpcp.Linux.Namespaces;

namespace Tcpcp.Linux.Processes;

/// <summary>
/// A program in a new user namespace, in which this process's user is root: so an ordinary user gets namespaces of the other kinds, where the system
/// allows it. It is the first process of a new PID namespace, since it may return to that one only from those that it makes (setns(2)). It has this process's descriptors 0 to 2 and everything else that is not closed on exec, ends with this process, and runs on one CPU: an
/// ordinary user cannot bind the receive queues of interfaces to one.
/// </summary>
/// <remarks>
/// A process of several threads can neither enter nor make a user namespace for itself (EINVAL), and posix_spawn(3) knows none. So this is clone(2) without a
/// shared memory, and the child's few native calls up to execve(2) are made without the runtime knowing: in the child it has one thread and could do nothing.
/// </remarks>
[KernelHeader("sys/syscall.h", "linux/sched.h", "signal.h", "sys/prctl.h")]
internal sealed unsafe class UserNamespaceProcess : IDisposable
{
    private const nint SYS_clone = 56; // asm/unistd_64.h
    private const nint CLONE_NEWUSER = 0x10000000; // linux/sched.h
    private const nint CLONE_NEWPID = 0x20000000;
    private const nint SIGCHLD = 17; // signal.h
    private const nint SIGKILL = 9;
    private const nint PR_SET_PDEATHSIG = 1; // linux/prctl.h
    private const int FirstCpu = 1; // a mask

    private static readonly nint s_libc = NativeLibrary.Load("libc", typeof(UserNamespaceProcess).Assembly, searchPath: null);

    private readonly ProcessDescriptor _process;

    private UserNamespaceProcess(ProcessDescriptor process) => _process = process;

    /// <summary>Starts a program.</summary>
    /// <param name="program">Its path.</param>
    /// <param name="arguments">Without the program's name.</param>
    /// <param name="variables">Added to this process's environment.</param>
    /// <exception cref="KernelException">The kernel does not allow it: EPERM, ENOSPC (limit of user namespaces), EINVAL (none in this kernel).</exception>
    public static UserNamespaceProcess Start(string program, IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string> variables)
    {
        TaskCompletionSource<UserNamespaceProcess> started = new(TaskCreationOptions.RunContinuationsAsynchronously);
        // The signal that ends it comes when the thread ends that made it: so it is one that never does.
        HomeThread.Post(() =>
        {
            try
            {
                started.SetResult(new UserNamespaceProcess(Make(program, arguments, variables)));
            }
            catch (Exception e)
            {
                started.SetException(e);
            }
        });
        return started.Task.GetAwaiter().GetResult();
    }

    /// <summary>Waits for its end.</summary>
    /// <returns>Its exit code, or 128 + the signal that killed it.</returns>
    public Task<int> WaitAsync() => Task.Factory.StartNew(_process.WaitForExit, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    /// <summary>Sends a signal; nothing happens if it has ended.</summary>
    public void Signal(int signal) => _process.Signal(signal);

    public void Dispose() => _process.Dispose();

    private static ProcessDescriptor Make(string program, IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string> variables)
    {
        using NativeStrings argv = new([program, .. arguments]);
        using NativeStrings envp = new(ChildProcess.EnvironmentWith(variables));
        Pipe go = Pipe.Open();
        using (go.ReadEnd)
        using (go.WriteEnd)
        {
            nint child = CloneAndExecute(
                (nint)go.ReadEnd.DangerousGetHandle(), (nint)go.WriteEnd.DangerousGetHandle(), argv.Pointer, envp.Pointer);
            if (child < 0)
                throw KernelException.Of("clone(CLONE_NEWUSER)", Marshal.GetLastSystemError());
            ProcessDescriptor process = ProcessDescriptor.Open((int)child);
            try
            {
                MapThisUser(child);
                using FileStream toChild = new(go.WriteEnd, FileAccess.Write, bufferSize: 0);
                toChild.WriteByte(1);
                return process;
            }
            catch
            {
                process.Signal((int)SIGKILL);
                process.WaitForExit();
                process.Dispose();
                throw;
            }
        }
    }

    // user_namespaces(7): an ordinary user maps just himself, and gives up setgroups(2) before he may map his group.
    private static void MapThisUser(nint child)
    {
        (string user, string group) = OwnIds();
        string directory = string.Create(CultureInfo.InvariantCulture, $"/proc/{child}/");
        File.WriteAllText(directory + "setgroups", "deny");
        File.WriteAllText(directory + "uid_map", $"0 {user} 1");
        File.WriteAllText(directory + "gid_map", $"0 {group} 1");
    }

    private static (string User, string Group) OwnIds()
    {
        string Effective(string key) => File.ReadLines("/proc/self/status").First(line => line.StartsWith(key, StringComparison.Ordinal)).Split('\t')[2];
        return (Effective("Uid:"), Effective("Gid:"));
    }

    // Optimized at once, and every call without a transition of the garbage collector: the child must not wait for a thread that it does not have.
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static nint CloneAndExecute(nint readEnd, nint writeEnd, byte** arguments, byte** environment)
    {
        var syscall = (delegate* unmanaged[SuppressGCTransition]<nint, nint, nint, nint, nint, nint, nint>)NativeLibrary.GetExport(s_libc, "syscall");
        var read = (delegate* unmanaged[SuppressGCTransition]<nint, void*, nint, nint>)NativeLibrary.GetExport(s_libc, "read");
        var close = (delegate* unmanaged[SuppressGCTransition]<nint, nint>)NativeLibrary.GetExport(s_libc, "close");
        var prctl = (delegate* unmanaged[SuppressGCTransition]<nint, nint, nint>)NativeLibrary.GetExport(s_libc, "prctl");
        var setAffinity = (delegate* unmanaged[SuppressGCTransition]<nint, nint, void*, nint>)NativeLibrary.GetExport(s_libc, "sched_setaffinity");
        var execve = (delegate* unmanaged[SuppressGCTransition]<byte*, byte**, byte**, nint>)NativeLibrary.GetExport(s_libc, "execve");
        var exit = (delegate* unmanaged[SuppressGCTransition]<nint, nint>)NativeLibrary.GetExport(s_libc, "_exit");
        byte* program = arguments[0];
        long room = 0;

        // Each kind of call once here, where it fails and does nothing: the first one may have the runtime make code, in memory that the child shares with this process.
        close(-1);
        read(-1, &room, 0);
        prctl(-1, 0);
        setAffinity(-1, 0, &room);
        execve(null, null, null);

        nint child = syscall(SYS_clone, CLONE_NEWUSER | CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);
        if (child != 0)
            return child;

        close(writeEnd);
        if (read(readEnd, &room, 1) == 1) // the user is mapped; an end without a byte: the parent has failed
        {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            room = FirstCpu;
            setAffinity(0, sizeof(long), &room);
            execve(program, arguments, environment);
        }

        exit(127);
        return 0;
    }
}
