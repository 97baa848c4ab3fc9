using System.Runtime.InteropServices;

namespace Tcpcp.Linux.Processes;

/// <summary>The environment that native libraries of this process see: <see cref="Environment.SetEnvironmentVariable(string, string?)"/> does not change it.</summary>
internal static partial class NativeEnvironment
{
    /// <summary>Sets a variable. To be called before there is a thread that may read the environment.</summary>
    public static void Set(string name, string value)
    {
        if (setenv(name, value, overwrite: 1) != 0)
            throw KernelException.Last("setenv", name);
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int setenv(string name, string value, int overwrite);
}
