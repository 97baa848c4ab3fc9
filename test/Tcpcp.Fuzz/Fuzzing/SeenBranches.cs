using System.Runtime.InteropServices;

namespace Tcpcp.Fuzz.Fuzzing;

/// <summary>Which pairs of branches were ever taken, and about how often in one run.</summary>
internal sealed class SeenBranches
{
    private readonly byte[] _seen = new byte[InstrumentedProgram.Branches.Length];

    /// <summary>Different pairs that were taken.</summary>
    public int Count { get; private set; }

    /// <summary>Adds what the last run has taken.</summary>
    /// <returns>Whether something of it is new.</returns>
    public bool Add()
    {
        bool isNew = false;
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(InstrumentedProgram.Branches);
        for (int word = 0; word < words.Length; word++)
        {
            if (words[word] == 0)
                continue;
            for (int i = word * 8; i < (word + 1) * 8; i++)
            {
                byte bucket = BucketOf(InstrumentedProgram.Branches[i]);
                if ((_seen[i] | bucket) == _seen[i])
                    continue;
                if (_seen[i] == 0)
                    Count++;
                _seen[i] |= bucket;
                isNew = true;
            }
        }

        return isNew;
    }

    // 1, 2, 3, 4-7, 8-15, 16-31, 32-127, more: one bit each.
    private static byte BucketOf(byte times) => times switch
    {
        0 => 0,
        1 => 1,
        2 => 2,
        3 => 4,
        < 8 => 8,
        < 16 => 16,
        < 32 => 32,
        < 128 => 64,
        _ => 128,
    };
}
