using System.Collections;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Tcpcp.Linux.Namespaces;

namespace Tcpcp.Linux.Processes;

/// <summary>A program that this process started. <see cref="DisposeAsync"/> kills it, unless it has ended.</summary>
[KernelHeader("signal.h")]
internal sealed class ChildProcess : IAsyncDisposable
{
    private const int SIGKILL = 9; // signal.h

    private readonly TaskCompletionSource<int> _exit = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private ChildProcess(int pid, ChildStreams streams)
    {
        Pid = pid;
        Descriptor = ProcessDescriptor.Open(pid);
        Input = streams.Input;
        Output = streams.Output;
        ErrorOutput = streams.ErrorOutput;
        HomeThread.StartThread("tcpcp wait", Wait);
    }

    /// <summary>The number of the process, seen from this process's PID namespace.</summary>
    public int Pid { get; }

    /// <summary>Completes when the process has ended and is reaped: its exit code, or 128 + the signal that killed it.</summary>
    public Task<int> Exit => _exit.Task;

    /// <summary>Standard input, with <see cref="ChildInput.Pipe"/>.</summary>
    public Stream? Input { get; }

    /// <summary>Standard output, with <see cref="ChildOutput.Captured"/>.</summary>
    public CapturedOutput? Output { get; }

    /// <summary>Standard error, with <see cref="ChildOutput.Captured"/>.</summary>
    public CapturedOutput? ErrorOutput { get; }

    internal ProcessDescriptor Descriptor { get; }

    /// <summary>Starts a program.</summary>
    /// <param name="program">Path, or a name that is looked up in PATH.</param>
    /// <param name="arguments">Without the program's name.</param>
    /// <param name="host">The thread whose network and mount namespaces it gets; null: this process's own.</param>
    /// <param name="pids">The PID namespace; null: this process's own.</param>
    /// <exception cref="KernelException">There is no such program, or it cannot be run.</exception>
    public static ChildProcess Start(
        string program, IReadOnlyList<string> arguments, ChildOptions? options = null, NamespaceThread? host = null, PidNamespace? pids = null) =>
        Start(program, arguments, options ?? new ChildOptions(), host, (int?)pids?.Descriptor.DangerousGetHandle() ?? PidNamespaceWindow.OwnNamespace);

    /// <summary>Starts the first process of a new PID namespace.</summary>
    internal static ChildProcess StartFirst(string program, ChildOptions options) =>
        Start(program, [], options, host: null, PidNamespaceWindow.NewNamespace);

    /// <summary>Sends a signal.</summary>
    /// <returns>False if the process has ended.</returns>
    public bool Signal(int signal) => !_exit.Task.IsCompleted && Descriptor.Signal(signal);

    /// <summary>Kills the process and waits until it is reaped.</summary>
    public async ValueTask DisposeAsync()
    {
        Signal(SIGKILL);
        await Exit;
        if (Input is not null)
            await Input.DisposeAsync();
        Descriptor.Dispose();
    }

    private static ChildProcess Start(string program, IReadOnlyList<string> arguments, ChildOptions options, NamespaceThread? host, int pidNamespace)
    {
        ArgumentException.ThrowIfNullOrEmpty(program);
        using SpawnPlan plan = new();
        using ChildStreams streams = ChildStreams.Prepare(options, plan);
        UseDescriptors(options, plan);
        if (options.WorkingDirectory is { } directory)
            plan.UseDirectory(directory);
        using NativeStrings argv = new([program, .. arguments]);
        using NativeStrings envp = new(EnvironmentWith(options.Environment));
        Func<int> spawn = () => PidNamespaceWindow.Spawn(pidNamespace, plan, argv, envp);
        ChildProcess child = new(host is null ? spawn() : host.Run(spawn), streams);
        streams.Begin();
        return child;
    }

    private static void UseDescriptors(ChildOptions options, SpawnPlan plan)
    {
        const int FirstNumber = 3;
        if (options.StandardStreams is { } streams)
        {
            plan.UseDescriptor(0, streams);
            plan.UseDescriptor(1, streams);
        }

        // First to numbers that none of them has: one that is moved must not close another one that comes later.
        int count = options.Descriptors.Count;
        int aside = options.Descriptors.Select(handle => (int)handle.DangerousGetHandle()).Append(FirstNumber + count).Max() + 1;
        for (int i = 0; i < count; i++)
            plan.UseDescriptor(aside + i, options.Descriptors[i]);
        for (int i = 0; i < count; i++)
            plan.MoveDescriptor(aside + i, FirstNumber + i);
        plan.CloseFrom(FirstNumber + count);
    }

    /// <summary>This process's environment with some variables added or replaced, as <c>NAME=VALUE</c>.</summary>
    internal static string[] EnvironmentWith(IReadOnlyDictionary<string, string> changes)
    {
        Dictionary<string, string> variables = new(StringComparer.Ordinal);
        foreach (DictionaryEntry variable in Environment.GetEnvironmentVariables())
            variables[(string)variable.Key] = (string?)variable.Value ?? "";
        foreach ((string name, string value) in changes)
            variables[name] = value;
        return [.. variables.Select(variable => $"{variable.Key}={variable.Value}")];
    }

    private void Wait()
    {
        try
        {
            _exit.SetResult(Descriptor.WaitForExit());
        }
        catch (Exception e)
        {
            _exit.SetException(e);
        }
    }
}
