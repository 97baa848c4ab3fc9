using System.Runtime.InteropServices;
using System.Text;

namespace Tcpcp.Linux.Processes;

/// <summary>Finds the file of a program, and what would prevent it from being executed, before anything depends on that.</summary>
[KernelHeader("unistd.h", "fcntl.h")]
internal static partial class ProgramFile
{
    private const int X_OK = 1; // unistd.h
    private const int AT_FDCWD = -100; // fcntl.h
    private const int AT_EACCESS = 0x200;
    private const string DefaultSearchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    private const int MaxInterpreterLine = 256; // BINPRM_BUF_SIZE

    /// <summary>Looks a name up in PATH, as a shell does; a path stays what it is.</summary>
    /// <exception cref="ProcessException">There is none, or the kernel would not execute it; the message says why.</exception>
    public static string Find(string program)
    {
        if (program.Contains('/', StringComparison.Ordinal))
        {
            RequireExecutable(program);
            return program;
        }

        string search = Environment.GetEnvironmentVariable("PATH") ?? DefaultSearchPath;
        string? found = search.Split(':').Select(directory => Path.Combine(directory.Length == 0 ? "." : directory, program))
            .FirstOrDefault(path => File.Exists(path) && faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0);
        if (found is null)
            throw new ProcessException($"There is no program '{program}' in PATH.");
        RequireExecutable(found);
        return found;
    }

    private static void RequireExecutable(string path)
    {
        if (Directory.Exists(path))
            throw new ProcessException($"{path} is a directory, and no program.");
        if (!File.Exists(path))
            throw new ProcessException($"There is no program {path}.");
        if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) != 0)
            throw new ProcessException($"{path} may not be executed: chmod +x {path}");
        Span<byte> start = stackalloc byte[MaxInterpreterLine];
        try
        {
            using FileStream file = File.OpenRead(path);
            start = start[..file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false)];
        }
        catch (UnauthorizedAccessException)
        {
            return; // what may be executed need not be readable
        }

        if (start.StartsWith("#!"u8))
            RequireInterpreter(path, start[2..]);
        else if (!start.StartsWith("\u007fELF"u8))
            throw new ProcessException($"{path} is no program that the kernel knows: neither ELF nor a script that begins with #!.");
    }

    private static void RequireInterpreter(string script, ReadOnlySpan<byte> line)
    {
        int end = line.IndexOf((byte)'\n');
        string interpreter = Encoding.UTF8.GetString(end < 0 ? line : line[..end]).Trim().Split(' ', '\t')[0];
        if (!File.Exists(interpreter) || faccessat(AT_FDCWD, interpreter, X_OK, AT_EACCESS) != 0)
            throw new ProcessException($"{script} is a script for {interpreter}, which is not there or may not be executed.");
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int faccessat(int directory, string path, int mode, int flags);
}
