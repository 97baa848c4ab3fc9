using System.Diagnostics;
using System.Globalization;

namespace Tcpcp.Fuzz.Fuzzing;

/// <summary>Tries inputs on a target for a time, guided by the branches that they take. What must not happen ends it.</summary>
internal sealed class FuzzRun : IDisposable
{
    private const int MaxBytes = 64 << 10;
    private const int MaxKeptBytes = 2 << 10;

    /// <summary>An input that takes longer hangs.</summary>
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(20);

    private readonly FuzzTarget _target;
    private readonly Action<byte[]> _run;
    private readonly Action _dispose;
    private readonly Random _random;
    private readonly Mutator _mutator;
    private readonly SeenBranches _seen = new();
    private readonly List<byte[]> _inputs = [];
    private readonly List<byte[]> _found = [];
    private readonly LastInput _last;
    private long _runs;
    private long _begun; // when the present input was given; 0: none is

    public FuzzRun(FuzzTarget target, int seed, LastInput last)
    {
        InstrumentedProgram program = new();
        (_run, _dispose) = program.Load(target.Name);
        (_target, _random, _last) = (target, new Random(seed), last);
        _mutator = new Mutator(_random, target.IsMessage, target.Tokens, MaxBytes);
    }

    /// <summary>Inputs of this run that took branches that none before had taken.</summary>
    public IReadOnlyList<byte[]> Found => _found;

    public string Summary => string.Create(CultureInfo.InvariantCulture,
        $"{_target.Name}: {_runs} runs, {_seen.Count} edges, {_inputs.Count} inputs of which {_found.Count} are new");

    /// <exception cref="FuzzFinding">An input did what no input may do.</exception>
    public void Run(IEnumerable<byte[]> known, TimeSpan time)
    {
        Exception? failure = null;
        Thread thread = new(() =>
        {
            try
            {
                Loop(known, time);
            }
            catch (Exception e)
            {
                failure = e;
            }
        }, maxStackSize: 1 << 20) { IsBackground = true, Name = _target.Name };
        thread.Start();
        while (!thread.Join(TimeSpan.FromMilliseconds(200)))
        {
            long begun = Volatile.Read(ref _begun);
            if (begun != 0 && Stopwatch.GetElapsedTime(begun) > s_limit)
                throw new FuzzFinding(_last.Read(), new TimeoutException($"It took more than {s_limit.TotalSeconds} s."));
        }

        if (failure is not null)
            throw failure is FuzzFinding finding ? new FuzzFinding(finding.Input, finding.InnerException!) : failure;
    }

    /// <summary>Few small inputs that take the branches that those given take, however often.</summary>
    public IReadOnlyList<byte[]> Minimize(IEnumerable<byte[]> inputs)
    {
        SeenBranches seen = new();
        List<byte[]> kept = [];
        foreach (byte[] input in inputs.Where(input => input.Length <= MaxKeptBytes).OrderBy(input => input.Length))
        {
            Try(input);
            int before = seen.Count;
            if (seen.Add() && seen.Count > before)
                kept.Add(input);
        }

        return kept;
    }

    public void Dispose() => _dispose();

    private void Loop(IEnumerable<byte[]> known, TimeSpan time)
    {
        long started = Stopwatch.GetTimestamp();
        foreach (byte[] input in known)
        {
            Try(input);
            _seen.Add();
            _inputs.Add(input);
        }

        while (Stopwatch.GetElapsedTime(started) < time)
        {
            byte[] input = _mutator.Mutate(Choose(), Choose);
            Try(input);
            if (!_seen.Add() || !_target.IsGuided)
                continue;
            _inputs.Add(input);
            _found.Add(input);
        }
    }

    // The newest more often: what they have reached was least tried.
    private byte[] Choose() => _inputs[_random.Next(3) == 0 ? Math.Max(0, _inputs.Count - 1 - _random.Next(8)) : _random.Next(_inputs.Count)];

    private void Try(byte[] input)
    {
        _last.Write(input);
        Array.Clear(InstrumentedProgram.Branches);
        InstrumentedProgram.BeginRun();
        Volatile.Write(ref _begun, Stopwatch.GetTimestamp());
        long before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            _run(input);
        }
        catch (Exception e)
        {
            throw new FuzzFinding(input, e);
        }

        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Volatile.Write(ref _begun, 0);
        _runs++;
        if (allocated > _target.MaxAllocation(input.Length))
            throw new FuzzFinding(input, new InsufficientMemoryException($"{input.Length} bytes of input made it allocate {allocated} bytes."));
    }
}

/// <summary>An input did what no input may do.</summary>
internal sealed class FuzzFinding(byte[] input, Exception inner) : Exception(inner.ToString(), inner)
{
    public byte[] Input => input;
}
