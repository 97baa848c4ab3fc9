using System.Runtime.InteropServices;

namespace Tcpcp.Linux.Processes;

/// <summary>What posix_spawn(3) does between fork and exec: descriptors, directory, signals. All signals have their default action and none is
/// blocked, whatever this runtime did; the child leads a process group of its own, so that a Ctrl-C goes to this process alone.</summary>
[KernelHeader("spawn.h", "fcntl.h")]
internal sealed unsafe partial class SpawnPlan : IDisposable
{
    private const int RoomBytes = 1024; // more than posix_spawnattr_t (336), posix_spawn_file_actions_t (80) and sigset_t (128) take
    private const short POSIX_SPAWN_SETPGROUP = 2; // spawn.h
    private const short POSIX_SPAWN_SETSIGDEF = 4;
    private const short POSIX_SPAWN_SETSIGMASK = 8;
    private const int O_RDWR = 2; // fcntl.h
    private const int O_WRONLY = 1;
    private const int O_CREAT = 0x40;
    private const int O_TRUNC = 0x200;
    private const int O_APPEND = 0x400;
    private const uint FileMode = 0x1A4; // 0644

    private readonly List<SafeHandle> _held = [];

    public SpawnPlan()
    {
        Attributes = NativeMemory.AllocZeroed(RoomBytes);
        FileActions = NativeMemory.AllocZeroed(RoomBytes);
        void* signals = NativeMemory.AllocZeroed(RoomBytes);
        Check(posix_spawnattr_init(Attributes), "posix_spawnattr_init");
        Check(posix_spawn_file_actions_init(FileActions), "posix_spawn_file_actions_init");
        Check(posix_spawnattr_setsigmask(Attributes, signals), "posix_spawnattr_setsigmask");
        NativeMemory.Fill(signals, RoomBytes, 0xFF); // sigfillset() leaves out 32 and 33, which posix_spawn() would then make ignored
        Check(posix_spawnattr_setsigdefault(Attributes, signals), "posix_spawnattr_setsigdefault");
        const short Flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
        Check(posix_spawnattr_setflags(Attributes, Flags), "posix_spawnattr_setflags");
        NativeMemory.Free(signals);
    }

    public void* Attributes { get; }

    public void* FileActions { get; }

    public void UseDescriptor(int number, SafeHandle handle)
    {
        bool added = false;
        handle.DangerousAddRef(ref added);
        _held.Add(handle);
        Check(posix_spawn_file_actions_adddup2(FileActions, (int)handle.DangerousGetHandle(), number), "posix_spawn_file_actions_adddup2");
    }

    /// <summary>Of the child: gives one that it has another number too.</summary>
    public void MoveDescriptor(int from, int to) => Check(posix_spawn_file_actions_adddup2(FileActions, from, to), "posix_spawn_file_actions_adddup2");

    public void UseNull(int number) => Open(number, "/dev/null", O_RDWR);

    public void UseFile(int number, string path) => Open(number, path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND);

    public void UseDirectory(string path) =>
        Check(posix_spawn_file_actions_addchdir_np(FileActions, path), "posix_spawn_file_actions_addchdir_np");

    /// <summary>Closes every descriptor from a number on, also those that this process inherited open and never marked (glibc 2.34; else they stay).</summary>
    public void CloseFrom(int number)
    {
        try
        {
            Check(posix_spawn_file_actions_addclosefrom_np(FileActions, number), "posix_spawn_file_actions_addclosefrom_np");
        }
        catch (EntryPointNotFoundException)
        {
            // What this process opens itself is closed on exec anyway.
        }
    }

    public void Dispose()
    {
        _held.ForEach(handle => handle.DangerousRelease());
        _ = posix_spawn_file_actions_destroy(FileActions);
        _ = posix_spawnattr_destroy(Attributes);
        NativeMemory.Free(FileActions);
        NativeMemory.Free(Attributes);
    }

    private void Open(int number, string path, int flags) =>
        Check(posix_spawn_file_actions_addopen(FileActions, number, path, flags, FileMode), "posix_spawn_file_actions_addopen");

    // These return the error number instead of setting errno.
    private static void Check(int errno, string call)
    {
        if (errno != 0)
            throw KernelException.Of(call, errno);
    }

    [LibraryImport("libc")]
    private static partial int posix_spawnattr_init(void* attributes);

    [LibraryImport("libc")]
    private static partial int posix_spawnattr_destroy(void* attributes);

    [LibraryImport("libc")]
    private static partial int posix_spawnattr_setflags(void* attributes, short flags);

    [LibraryImport("libc")]
    private static partial int posix_spawnattr_setsigdefault(void* attributes, void* signals);

    [LibraryImport("libc")]
    private static partial int posix_spawnattr_setsigmask(void* attributes, void* signals);

    [LibraryImport("libc")]
    private static partial int posix_spawn_file_actions_init(void* actions);

    [LibraryImport("libc")]
    private static partial int posix_spawn_file_actions_destroy(void* actions);

    [LibraryImport("libc")]
    private static partial int posix_spawn_file_actions_adddup2(void* actions, int from, int to);

    [LibraryImport("libc")]
    private static partial int posix_spawn_file_actions_addclosefrom_np(void* actions, int number);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int posix_spawn_file_actions_addopen(void* actions, int number, string path, int flags, uint mode);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int posix_spawn_file_actions_addchdir_np(void* actions, string path);
}
