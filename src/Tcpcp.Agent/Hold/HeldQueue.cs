using System.Diagnostics.CodeAnalysis;
using Tcpcp.Core;

namespace Tcpcp.Agent.Hold;

/// <summary>The held packets of one connection, in order. Not thread-safe.</summary>
internal sealed class HeldQueue(int maxBytes)
{
    private readonly Queue<byte[]> _frames = new();
    private int _bytes;

    /// <summary>Packets that found no room; the peer sends them again.</summary>
    public int Dropped { get; private set; }

    /// <summary>Packets that were added, dropped ones too.</summary>
    public long Added { get; private set; }

    public SequenceNumber? HighestAcknowledgement { get; private set; }

    public void Add(ReadOnlySpan<byte> frame, SequenceNumber? acknowledgement)
    {
        Added++;
        if (_bytes + frame.Length > maxBytes)
        {
            Dropped++;
            return;
        }

        _bytes += frame.Length;
        _frames.Enqueue(frame.ToArray());
        if (acknowledgement is { } number && (HighestAcknowledgement is not { } highest || number.IsAfter(highest)))
            HighestAcknowledgement = number;
    }

    public bool TryTake([NotNullWhen(true)] out byte[]? frame)
    {
        bool taken = _frames.TryDequeue(out frame);
        if (taken)
            _bytes -= frame!.Length;
        return taken;
    }
}
