using System.Text;
using Microsoft.Win32.SafeHandles;
using Tcpcp.Linux.Namespaces;

namespace Tcpcp.Linux.Processes;

/// <summary>What a child has written so far, read by a thread of its own until the last holder of the pipe closes it.</summary>
internal sealed class CapturedOutput
{
    private readonly Lock _lock = new();
    private readonly StringBuilder _text = new();
    private readonly TaskCompletionSource<string> _completed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<(string Text, TaskCompletionSource<string> Seen)> _waiters = [];

    internal CapturedOutput(SafeFileHandle pipe) => HomeThread.StartThread("tcpcp output", () => Read(pipe));

    /// <summary>Everything, once the child and its children have closed their output.</summary>
    public Task<string> Completed => _completed.Task;

    /// <summary>What has come so far.</summary>
    public string Text
    {
        get
        {
            lock (_lock)
                return _text.ToString();
        }
    }

    /// <summary>Waits until the output contains a text and returns the output until then.</summary>
    /// <exception cref="TimeoutException">It did not come in time; the message has what came instead.</exception>
    /// <exception cref="EndOfStreamException">The output ended without it.</exception>
    public async Task<string> WaitForAsync(string text, TimeSpan limit)
    {
        TaskCompletionSource<string> seen = new(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            if (_text.ToString() is { } already && already.Contains(text, StringComparison.Ordinal))
                return already;
            if (_completed.Task.IsCompleted)
                throw Ended(text);
            _waiters.Add((text, seen));
        }

        try
        {
            return await seen.Task.WaitAsync(limit);
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"The child did not write '{text}' in {limit.TotalSeconds:F1} s, but: {Text}", e);
        }
    }

    private void Read(SafeFileHandle pipe)
    {
        using FileStream stream = new(pipe, FileAccess.Read, bufferSize: 0);
        byte[] bytes = new byte[16 * 1024];
        char[] characters = new char[bytes.Length + 1];
        Decoder decoder = Encoding.UTF8.GetDecoder();
        for (int count; (count = stream.Read(bytes)) > 0;)
            Append(characters.AsSpan(0, decoder.GetChars(bytes.AsSpan(0, count), characters, flush: false)));
        lock (_lock)
        {
            _completed.SetResult(_text.ToString());
            foreach ((string text, TaskCompletionSource<string> seen) in _waiters)
                seen.TrySetException(Ended(text));
        }
    }

    private void Append(ReadOnlySpan<char> characters)
    {
        lock (_lock)
        {
            _text.Append(characters);
            if (_waiters.Count == 0)
                return;
            string soFar = _text.ToString();
            _waiters.RemoveAll(waiter => soFar.Contains(waiter.Text, StringComparison.Ordinal) && waiter.Seen.TrySetResult(soFar));
        }
    }

    private EndOfStreamException Ended(string text) => new($"The child closed its output without writing '{text}', but: {_text}");
}
