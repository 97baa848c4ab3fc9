using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Tcpcp.Linux.Processes;

/// <summary>
/// Starts programs in another PID namespace. A thread whose children go to another PID namespace than its own cannot make threads (clone with
/// CLONE_THREAD: EINVAL), and the runtime may make one at any managed call. So the thread is in that state only for three native calls back to back.
/// </summary>
[KernelHeader("sched.h")]
internal static unsafe class PidNamespaceWindow
{
    /// <summary>Given for the namespace: a new one, whose first process this is.</summary>
    public const int NewNamespace = -1;

    /// <summary>Given for the namespace: the thread's own.</summary>
    public const int OwnNamespace = -2;

    private const int CLONE_NEWPID = 0x20000000; // linux/sched.h

    private static readonly nint s_libc = NativeLibrary.Load("libc", typeof(PidNamespaceWindow).Assembly, searchPath: null);
    private static readonly ProcessDescriptor s_self = ProcessDescriptor.Open(Environment.ProcessId);

    private static readonly delegate* unmanaged<int, int, int> s_setns =
        (delegate* unmanaged<int, int, int>)NativeLibrary.GetExport(s_libc, "setns");

    private static readonly delegate* unmanaged<int, int> s_unshare =
        (delegate* unmanaged<int, int>)NativeLibrary.GetExport(s_libc, "unshare");

    private static readonly delegate* unmanaged<int*, byte*, void*, void*, byte**, byte**, int> s_spawn =
        (delegate* unmanaged<int*, byte*, void*, void*, byte**, byte**, int>)NativeLibrary.GetExport(s_libc, "posix_spawnp");

    /// <summary>posix_spawnp(3) in a PID namespace.</summary>
    /// <param name="pidNamespace">A pidfd of a process in it, <see cref="NewNamespace"/> or <see cref="OwnNamespace"/>.</param>
    /// <returns>The number of the process, seen from here.</returns>
    public static int Spawn(int pidNamespace, SpawnPlan plan, NativeStrings arguments, NativeStrings environment)
    {
        int child;
        (int enter, int spawn, int leave) = pidNamespace == OwnNamespace
            ? (0, s_spawn(&child, arguments.Pointer[0], plan.FileActions, plan.Attributes, arguments.Pointer, environment.Pointer), 0)
            : SpawnElsewhere(
                pidNamespace, (int)s_self.DangerousGetHandle(), &child, plan.FileActions, plan.Attributes, arguments.Pointer, environment.Pointer);
        if (leave != 0)
            Environment.FailFast($"setns back to the process's own PID namespace failed (errno {leave}): this thread can make no threads any more.");
        if (enter != 0)
            throw KernelException.Of(pidNamespace == NewNamespace ? "unshare(CLONE_NEWPID)" : "setns(CLONE_NEWPID)", enter);
        return spawn == 0 ? child : throw KernelException.Of("posix_spawn", spawn, Marshal.PtrToStringUTF8((nint)arguments.Pointer[0]));
    }

    // Optimized at once: no counter of calls, hence no background compiler that this thread would have to start.
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static (int Enter, int Spawn, int Leave) SpawnElsewhere(
        int pidNamespace, int self, int* child, void* actions, void* attributes, byte** arguments, byte** environment)
    {
        delegate* unmanaged<int, int, int> setns = s_setns;
        delegate* unmanaged<int, int> unshare = s_unshare;
        delegate* unmanaged<int*, byte*, void*, void*, byte**, byte**, int> spawn = s_spawn;
        byte* program = arguments[0];

        int entered = pidNamespace >= 0 ? setns(pidNamespace, CLONE_NEWPID) : unshare(CLONE_NEWPID);
        int spawned = entered == 0 ? spawn(child, program, actions, attributes, arguments, environment) : 0;
        int left = entered == 0 ? setns(self, CLONE_NEWPID) : 0;

        int errno = entered == 0 && left == 0 ? 0 : Marshal.GetLastSystemError();
        return (entered == 0 ? 0 : errno, spawned, left == 0 ? 0 : errno);
    }
}
