using System.Diagnostics.CodeAnalysis;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Tcpcp.Linux.Bpf;

/// <summary>
/// Names of maps and links in a BPF file system, which keep them when their last descriptor is closed. They go with the boot, or when the name is removed
/// as a file's is. In the mount namespace of the calling thread.
/// </summary>
internal static unsafe class BpfPin
{
    /// <summary>Where the file system is looked for.</summary>
    public const string FileSystem = "/sys/fs/bpf";

    /// <summary>Where all names of this program are.</summary>
    public const string Directory = FileSystem + "/tcpcp";

    /// <summary>Whether there is a BPF file system.</summary>
    public static bool IsPossible() =>
        File.ReadLines("/proc/thread-self/mounts").Select(line => line.Split(' ')).Any(parts => parts is [_, FileSystem, "bpf", ..]);

    public static void Pin(SafeFileHandle handle, string path)
    {
        fixed (byte* name = Encoding.UTF8.GetBytes(path + '\0'))
        {
            bool held = false;
            try
            {
                handle.DangerousAddRef(ref held);
                BpfPinAttributes attributes = new() { Path = (nuint)name, Object = (int)handle.DangerousGetHandle() };
                BpfSystemCalls.Do(BpfCommand.Pin, ref attributes, path);
            }
            finally
            {
                if (held)
                    handle.DangerousRelease();
            }
        }
    }

    /// <returns>False if there is no such name.</returns>
    public static bool TryOpen(string path, [NotNullWhen(true)] out SafeFileHandle? handle)
    {
        handle = null;
        if (!File.Exists(path))
            return false;
        fixed (byte* name = Encoding.UTF8.GetBytes(path + '\0'))
        {
            BpfPinAttributes attributes = new() { Path = (nuint)name };
            handle = BpfSystemCalls.Open(BpfCommand.OpenPin, ref attributes, path);
            return true;
        }
    }
}
