using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Tcpcp.Linux.Namespaces;

namespace Tcpcp.Linux.Processes;

/// <summary>The standard streams of a child: our ends, and until <see cref="Dispose"/> the child's.</summary>
internal sealed class ChildStreams : IDisposable
{
    private readonly List<SafeFileHandle> _childEnds = [];
    private Action? _begin;

    public Stream? Input { get; private set; }

    public CapturedOutput? Output { get; private set; }

    public CapturedOutput? ErrorOutput { get; private set; }

    public static ChildStreams Prepare(ChildOptions options, SpawnPlan plan)
    {
        ChildStreams streams = new();
        if (options.Input.Kind == ChildInput.Source.Null)
            plan.UseNull(0);
        else
            streams.PrepareInput(options.Input, plan);
        streams.Output = streams.PrepareOutput(1, options.Output, plan);
        streams.ErrorOutput = streams.PrepareOutput(2, options.ErrorOutput, plan);
        return streams;
    }

    /// <summary>Begins to write the given input; the child runs.</summary>
    public void Begin() => _begin?.Invoke();

    /// <summary>Closes the child's ends here, so that the child alone holds them.</summary>
    public void Dispose() => _childEnds.ForEach(end => end.Dispose());

    private void PrepareInput(ChildInput input, SpawnPlan plan)
    {
        Pipe pipe = Pipe.Open();
        _childEnds.Add(pipe.ReadEnd);
        plan.UseDescriptor(0, pipe.ReadEnd);
        FileStream stream = new(pipe.WriteEnd, FileAccess.Write, bufferSize: 0);
        if (input.Kind == ChildInput.Source.Pipe)
            Input = stream;
        else
            _begin = () => HomeThread.StartThread("tcpcp input", () => WriteAll(stream, input.Bytes));
    }

    private CapturedOutput? PrepareOutput(int number, ChildOutput output, SpawnPlan plan)
    {
        switch (output.Kind)
        {
            case ChildOutput.Target.Capture:
                Pipe pipe = Pipe.Open();
                _childEnds.Add(pipe.WriteEnd);
                plan.UseDescriptor(number, pipe.WriteEnd);
                return new CapturedOutput(pipe.ReadEnd); // ends at once when the child cannot be started
            case ChildOutput.Target.File:
                plan.UseFile(number, output.Path!);
                return null;
            case ChildOutput.Target.Null:
                plan.UseNull(number);
                return null;
            default:
                return null;
        }
    }

    private static void WriteAll(FileStream stream, ReadOnlyMemory<byte> bytes)
    {
        try
        {
            using (stream)
                stream.Write(bytes.Span);
        }
        catch (IOException)
        {
            // The child closed its input or ended before it read everything: its own affair.
        }
    }
}
