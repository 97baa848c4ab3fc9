using System.Diagnostics;

namespace Tcpcp.Explorer.Tests;

/// <summary>What an exploration has found.</summary>
/// <param name="Depth">Steps of the longest of the shortest ways to a world.</param>
internal sealed record Findings(Scenario Scenario, int Worlds, long Steps, int Depth, TimeSpan Time, Breach Breach, Trace? Trace)
{
    public override string ToString() => FormattableString.Invariant(
        $"{Scenario,-60} {Worlds,10:N0} worlds {Steps,11:N0} steps, depth {Depth,3}, {Time.TotalSeconds,6:F1} s{(Breach == Breach.None ? "" : $"  {Breach} after {Trace!.Length} steps")}");
}

/// <summary>Visits every world that can come to be, breadth first, so that a way to a breach is a shortest one.</summary>
internal sealed class Explorer(Model model)
{
    private readonly VisitedWorlds _visited = new();
    private readonly List<int> _cameFrom = [];
    private readonly List<int> _nextAt = [];
    private readonly List<int> _next = [];
    private readonly HashSet<int> _goodEnds = [];
    private readonly Properties _properties = new(model);
    private readonly World _world = new();

    /// <param name="limit">More worlds than this are too many.</param>
    public Findings Explore(int limit = 40_000_000)
    {
        long started = Stopwatch.GetTimestamp();
        Frontier now = new();
        Frontier later = new();
        long taken = 0;
        int depth = 0;
        int current = 0;
        Breach breach = Breach.None;
        int breachAt = -1;
        bool goesOn = false;

        void Reach(World world, bool isFault, string? told)
        {
            taken++;
            (int index, bool isNew) = _visited.Add(VisitedWorlds.Hash(world.Bytes));
            if (!isFault && index != current)
            {
                _next.Add(index);
                goesOn = true;
            }
            if (!isNew)
                return;
            _cameFrom.Add(current);
            later.Add(world.Bytes);
            if (breach == Breach.None && (breach = _properties.Of(world)) != Breach.None)
                breachAt = index;
        }

        Steps steps = new(model) { Taken = Reach };
        current = -1;
        Reach(model.Start(), isFault: true, told: null);
        int expanded = 0;
        while (later.Count > 0 && breach == Breach.None)
        {
            (now, later) = (later, now);
            later.Clear();
            for (int i = 0; i < now.Count && breach == Breach.None; i++)
            {
                steps.From.CopyFrom(now[i]);
                current = expanded++;
                _nextAt.Add(_next.Count);
                goesOn = false;
                model.Expand(steps);
                if (goesOn || breach != Breach.None)
                    continue;
                if (_properties.IsGoodEnd(steps.From))
                    _goodEnds.Add(current);
                else
                    (breach, breachAt) = (Breach.BadEnd, current);
            }
            depth++;
            if (_visited.Count > limit)
                throw new InvalidOperationException($"{model.Scenario}: more than {limit} worlds.");
        }
        if (breach == Breach.None && (breachAt = FirstWithoutEnd()) >= 0)
            breach = Breach.NoEnd;
        TimeSpan time = Stopwatch.GetElapsedTime(started);
        return new Findings(model.Scenario, _visited.Count, taken, depth, time, breach, breach == Breach.None ? null : Tell(breachAt));
    }

    // Every world must be able to reach an end without another fault: where retries go on for ever, there is no end to look at.
    private int FirstWithoutEnd()
    {
        int count = _nextAt.Count;
        bool[] ends = new bool[count];
        foreach (int end in _goodEnds)
            ends[end] = true;
        bool changed = true;
        while (changed)
        {
            changed = false;
            for (int index = count - 1; index >= 0; index--)
            {
                if (ends[index])
                    continue;
                int last = index + 1 < count ? _nextAt[index + 1] : _next.Count;
                for (int edge = _nextAt[index]; edge < last; edge++)
                {
                    if (!ends[_next[edge]])
                        continue;
                    ends[index] = changed = true;
                    break;
                }
            }
        }
        return Array.LastIndexOf(ends, false);
    }

    private Trace Tell(int index)
    {
        Stack<int> way = new();
        for (; index > 0; index = _cameFrom[index])
            way.Push(index);
        List<string> told = [];
        UInt128 wanted = default;
        bool found = false;
        Steps steps = new(model)
        {
            Tells = true,
            Taken = (world, _, words) =>
            {
                if (found || VisitedWorlds.Hash(world.Bytes) != wanted)
                    return;
                found = true;
                _world.CopyFrom(world.Bytes);
                told.Add(words ?? "?");
            },
        };
        steps.From.CopyFrom(model.Start().Bytes);
        while (way.TryPop(out int next))
        {
            wanted = _visited[next];
            found = false;
            model.Expand(steps);
            if (!found)
                throw new InvalidOperationException("A step of the trace was not found again.");
            steps.From.CopyFrom(_world.Bytes);
        }
        return new Trace(told, _properties.Describe(steps.From));
    }

    /// <summary>Worlds of one depth, one behind the other.</summary>
    private sealed class Frontier
    {
        private byte[] _bytes = new byte[World.Length << 10];

        public int Count { get; private set; }

        public ReadOnlySpan<byte> this[int index] => _bytes.AsSpan(index * World.Length, World.Length);

        public void Add(ReadOnlySpan<byte> world)
        {
            if ((Count + 1) * World.Length > _bytes.Length)
                Array.Resize(ref _bytes, 2 * _bytes.Length);
            world.CopyTo(_bytes.AsSpan(Count++ * World.Length));
        }

        public void Clear() => Count = 0;
    }
}

/// <summary>The steps of a shortest way to a world, and that world.</summary>
internal sealed record Trace(IReadOnlyList<string> Steps, string End)
{
    public int Length => Steps.Count;

    public override string ToString() =>
        string.Join('\n', Steps.Select((step, index) => FormattableString.Invariant($"{index + 1,3}. {step}"))) + "\n" + End;
}
