using System.Numerics;
using System.Runtime.InteropServices;

namespace Tcpcp.Explorer.Tests;

/// <summary>The worlds seen so far, by 128 bits of hash each, in the order in which they were found.</summary>
internal sealed class VisitedWorlds
{
    private readonly List<UInt128> _hashes = [];
    private int[] _slots = new int[1 << 16];

    public int Count => _hashes.Count;

    public UInt128 this[int index] => _hashes[index];

    /// <summary>Its index, and whether it is new.</summary>
    public (int Index, bool IsNew) Add(UInt128 hash)
    {
        if (2 * _hashes.Count >= _slots.Length)
            Grow();
        int slot = Find(hash);
        if (_slots[slot] != 0)
            return (_slots[slot] - 1, false);
        _hashes.Add(hash);
        _slots[slot] = _hashes.Count;
        return (_hashes.Count - 1, true);
    }

    /// <summary>Two lanes as in xxHash64, each of which alone tells any two words apart.</summary>
    public static UInt128 Hash(ReadOnlySpan<byte> bytes)
    {
        ulong a = Prime1 ^ Prime2;
        ulong b = Prime3;
        foreach (ulong word in MemoryMarshal.Cast<byte, ulong>(bytes))
        {
            a = BitOperations.RotateLeft(a + word * Prime2, 31) * Prime1;
            b = BitOperations.RotateLeft(b ^ word * Prime1, 27) * Prime3 + Prime2;
        }
        return new UInt128(Avalanche(a + BitOperations.RotateLeft(b, 18)), Avalanche(b ^ BitOperations.RotateLeft(a, 7)));
    }

    private const ulong Prime1 = 0x9E3779B185EBCA87;
    private const ulong Prime2 = 0xC2B2AE3D27D4EB4F;
    private const ulong Prime3 = 0x165667B19E3779F9;

    private static ulong Avalanche(ulong hash)
    {
        hash = (hash ^ hash >> 33) * Prime2;
        hash = (hash ^ hash >> 29) * Prime3;
        return hash ^ hash >> 32;
    }

    private int Find(UInt128 hash)
    {
        int mask = _slots.Length - 1;
        int slot = (int)(ulong)hash & mask;
        while (_slots[slot] != 0 && _hashes[_slots[slot] - 1] != hash)
            slot = slot + 1 & mask;
        return slot;
    }

    private void Grow()
    {
        _slots = new int[2 * _slots.Length];
        for (int index = 0; index < _hashes.Count; index++)
            _slots[Find(_hashes[index])] = index + 1;
    }
}
