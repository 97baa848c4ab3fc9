using System.Security.Cryptography;
using System.Text;

namespace Tcpcp.Core;

/// <summary>
/// Which backend gets what opens: a Maglev table. It depends on the names of the backends alone, so two gateways have the same; each has about as many slots as the
/// others, and where one comes or goes few other slots change.
/// </summary>
internal static class PlacementTable
{
    /// <param name="backends">Names; none: every slot stays without.</param>
    /// <param name="slots">A prime.</param>
    /// <returns>Of each slot the position of its backend in the list; -1: there is none.</returns>
    public static int[] Make(IReadOnlyList<string> backends, int slots)
    {
        int[] table = new int[slots];
        Array.Fill(table, -1);
        if (backends.Count == 0)
            return table;
        // The order in which they take turns must not depend on that of the configuration.
        int[] order = [.. Enumerable.Range(0, backends.Count).OrderBy(one => backends[one], StringComparer.Ordinal)];
        (ulong At, ulong Step)[] walks = [.. backends.Select(name => WalkOf(name, (ulong)slots))];
        for (int filled = 0; ;)
        {
            foreach (int backend in order)
            {
                ref (ulong At, ulong Step) walk = ref walks[backend];
                while (table[walk.At] >= 0)
                    walk.At = (walk.At + walk.Step) % (ulong)slots;
                table[walk.At] = backend;
                if (++filled == slots)
                    return table;
            }
        }
    }

    // Since the number of slots is a prime, every step from 1 on leads to all of them.
    private static (ulong At, ulong Step) WalkOf(string name, ulong slots)
    {
        byte[] hash = SHA256.HashData(Encoding.UTF8.GetBytes(name));
        return (BitConverter.ToUInt64(hash, 0) % slots, (BitConverter.ToUInt64(hash, 8) % (slots - 1)) + 1);
    }
}
