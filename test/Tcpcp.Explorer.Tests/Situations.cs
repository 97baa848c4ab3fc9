using System.Reflection;
using Tcpcp.Core.Passing;

namespace Tcpcp.Explorer.Tests;

/// <summary>A state of a table with the effects that are still to be performed on the way into it.</summary>
/// <param name="Number">What a world holds instead.</param>
/// <param name="After">The situation when the first effect is performed; itself if none is left.</param>
internal sealed record Situation<TState, TEffect>(ushort Number, TState State, TEffect? Effect, ushort After)
    where TEffect : class
{
    /// <summary>Inputs are taken.</summary>
    public bool IsIdle => Effect is null;
}

/// <summary>
/// Gives states and effects small numbers, and remembers the table's steps. Reasons of failures are all made one: the tables
/// only pass them on. Effects that change nothing in the world are left out: a crash before or after them is the same.
/// </summary>
internal sealed class Situations<TState, TInput, TEffect>(Func<TState, TInput, (TState, TEffect[])> table, Func<TEffect, bool> changesNothing)
    where TState : class
    where TEffect : class
{
    private readonly List<Situation<TState, TEffect>> _all = [];
    private readonly Dictionary<(TState State, TEffect? First, int After), ushort> _numbers = [];
    private readonly Dictionary<long, int> _steps = [];

    public Situation<TState, TEffect> this[int number] => _all[number];

    public int Count => _all.Count;

    /// <summary>What the table has thrown last.</summary>
    public string? Illegal { get; private set; }

    public ushort Of(TState state, params ReadOnlySpan<TEffect> effects)
    {
        state = WithoutReason(state);
        List<TEffect> left = [];
        foreach (TEffect effect in effects)
        {
            if (!changesNothing(effect))
                left.Add(WithoutReason(effect));
        }
        return Number(state, [.. left]);
    }

    /// <summary>The situation after the input, or -1 if the table throws. The code stands for the input.</summary>
    public int Next(int situation, int code, Func<int, TInput> decode)
    {
        long key = (long)situation << 32 | (uint)code;
        if (_steps.TryGetValue(key, out int known))
            return known;
        Situation<TState, TEffect> now = _all[situation];
        if (!now.IsIdle)
            throw new InvalidOperationException("An input while effects are left.");
        int next;
        try
        {
            (TState state, TEffect[] effects) = table(now.State, decode(code));
            next = Of(state, effects);
        }
        catch (InvalidOperationException e)
        {
            Illegal = e.Message;
            next = -1;
        }
        return _steps[key] = next;
    }

    private ushort Number(TState state, ReadOnlySpan<TEffect> effects)
    {
        int after = effects.IsEmpty ? -1 : Number(state, effects[1..]);
        var key = (state, effects.IsEmpty ? null : effects[0], after);
        if (_numbers.TryGetValue(key, out ushort number))
            return number;
        number = checked((ushort)_all.Count);
        _all.Add(new Situation<TState, TEffect>(number, state, key.Item2, after < 0 ? number : (ushort)after));
        _numbers.Add(key, number);
        return number;
    }

    private static T WithoutReason<T>(T value)
        where T : class
    {
        PropertyInfo? reason = value.GetType().GetProperty("Failure");
        if (reason is null || reason.GetValue(value) is Core.PassFailure.None)
            return value;
        T copy = (T)value.GetType().GetMethod("<Clone>$")!.Invoke(value, null)!;
        reason.SetValue(copy, Core.PassFailure.Cancelled);
        return copy;
    }
}
