namespace Tcpcp.Linux.Processes;

/// <summary>How a child process is started; by default it inherits the environment and the directory, reads nothing and its output is kept.</summary>
internal sealed record ChildOptions
{
    /// <summary>Variables that are added to, or replace, those of this process.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>Null: this process's own.</summary>
    public string? WorkingDirectory { get; init; }

    /// <summary>What the child reads as standard input.</summary>
    public ChildInput Input { get; init; } = ChildInput.Nothing;

    /// <summary>Open files that the child gets as descriptors from 3 on; this process keeps its own.</summary>
    public IReadOnlyList<System.Runtime.InteropServices.SafeHandle> Descriptors { get; init; } = [];

    /// <summary>An open file that is the child's standard input, instead of <see cref="Input"/>, and its standard output, instead of <see cref="Output"/>.</summary>
    public System.Runtime.InteropServices.SafeHandle? StandardStreams { get; init; }

    public ChildOutput Output { get; init; } = ChildOutput.Captured;

    public ChildOutput ErrorOutput { get; init; } = ChildOutput.Captured;
}

/// <summary>What a child process reads.</summary>
/// <param name="Kind">Nothing (/dev/null), a pipe that the caller writes to, or given bytes.</param>
/// <param name="Bytes">Written by a thread of their own, then the pipe is closed.</param>
internal sealed record ChildInput(ChildInput.Source Kind, ReadOnlyMemory<byte> Bytes = default)
{
    internal enum Source
    {
        Null,
        Pipe,
        Bytes,
    }

    /// <summary>/dev/null.</summary>
    public static ChildInput Nothing { get; } = new(Source.Null);

    /// <summary><see cref="ChildProcess.Input"/> is a stream.</summary>
    public static ChildInput Pipe { get; } = new(Source.Pipe);

    public static ChildInput Of(ReadOnlyMemory<byte> bytes) => new(Source.Bytes, bytes);
}

/// <summary>Where the output of a child process goes.</summary>
/// <param name="Kind">Kept in memory, thrown away, to this process's own output, or to a file.</param>
/// <param name="Path">The file, made or emptied; opened by the child, so in the host's mount namespace.</param>
internal sealed record ChildOutput(ChildOutput.Target Kind, string? Path = null)
{
    internal enum Target
    {
        Capture,
        Null,
        Inherit,
        File,
    }

    /// <summary>Kept in memory and read with <see cref="ChildProcess.Output"/>.</summary>
    public static ChildOutput Captured { get; } = new(Target.Capture);

    public static ChildOutput Discarded { get; } = new(Target.Null);

    public static ChildOutput Inherited { get; } = new(Target.Inherit);

    public static ChildOutput ToFile(string path) => new(Target.File, path);
}
