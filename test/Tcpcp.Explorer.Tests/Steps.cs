using System.Runtime.CompilerServices;
using System.Text;

namespace Tcpcp.Explorer.Tests;

/// <summary>Collects what can happen in a world: each step is made on a copy, and taken.</summary>
internal sealed class Steps(Model model)
{
    private readonly World _next = new();
    private string? _told;

    public World From { get; } = new();

    /// <summary>Whether steps are put in words: only when a trace is told.</summary>
    public bool Tells { get; init; }

    /// <summary>Called for each step: the world after it, and whether it is a fault.</summary>
    public required Action<World, bool, string?> Taken { get; init; }

    public World Fork()
    {
        _next.CopyFrom(From.Bytes);
        _told = null;
        return _next;
    }

    public void Say([InterpolatedStringHandlerArgument("")] Words words)
    {
        if (Tells)
            _told = _told is null ? words.ToString() : $"{_told}; {words.ToString()}";
    }

    /// <summary>Steps taken since <see cref="From"/> was set.</summary>
    public int Count { get; private set; }

    public void Clear() => Count = 0;

    /// <summary>Anything that happens by itself.</summary>
    public void Take()
    {
        Count++;
        model.Network.RemoveDead(_next);
        Taken(_next, false, _told);
    }

    /// <summary>
    /// Takes the step, and takes it again for every message that it sends and that may get lost. A message that is lost later is lost no otherwise:
    /// all that its being under way does is to keep timers from asking again.
    /// </summary>
    public void TakeWithLosses(Action<World> step)
    {
        Network network = model.Network;
        network.Lose(-1);
        step(Fork());
        int sent = network.Sent;
        Take();
        for (int lost = 0; lost < sent && model.Accidents.Allows(From, Fault.MessageLost); lost++)
        {
            network.Lose(lost);
            World world = Fork();
            step(world);
            Say($"a message is lost");
            TakeFault(Fault.MessageLost);
        }
        network.Lose(-1);
    }

    /// <summary>Counts a fault, if it changes anything.</summary>
    public void TakeFault(Fault kind)
    {
        if (_next.Bytes.SequenceEqual(From.Bytes))
            return;
        model.Network.RemoveDead(_next);
        _next.Faults += (ushort)(1 << 2 * System.Numerics.BitOperations.TrailingZeroCount((uint)kind));
        Taken(_next, true, _told);
    }

    /// <summary>Words that cost nothing while nobody listens.</summary>
    [InterpolatedStringHandler]
    internal readonly ref struct Words
    {
        private readonly StringBuilder? _text;

        public Words(int literalLength, int formattedCount, Steps steps, out bool goesOn)
        {
            goesOn = steps.Tells;
            _text = goesOn ? new StringBuilder(literalLength + 8 * formattedCount) : null;
        }

        public void AppendLiteral(string text) => _text!.Append(text);

        public void AppendFormatted<T>(T value) => _text!.Append(value);

        public override string ToString() => _text!.ToString();
    }
}
