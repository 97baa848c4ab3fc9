using System.Globalization;
using System.Runtime.InteropServices;

namespace Tcpcp.Linux.Processes;

/// <summary>The code of this process as it lies in memory: the pages of its program and libraries that are as in their files.</summary>
[KernelHeader("sys/mman.h")]
internal static partial class ProgramCode
{
    private const int MADV_DONTNEED = 4; // sys/mman.h

    /// <summary>
    /// Lets go of all of it (madvise): what is used again is mapped again from the page cache, 64 KiB at a time, and what only the start has needed is not. Code that
    /// was changed in memory stays.
    /// </summary>
    /// <returns>How many bytes were resident.</returns>
    public static long GiveBack()
    {
        long bytes = 0;
        (nint Start, nint End)? code = null;
        long resident = 0;
        // proc(5): a mapping's first line begins with its addresses, and its other lines with their names.
        foreach (string line in File.ReadAllLines("/proc/self/smaps"))
        {
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (words.Length >= 5 && !words[0].EndsWith(':'))
                code = words is [_, "r-xp", _, _, _, ['/', ..], ..] ? Range(words[0]) : null;
            else if (words is ["Rss:", _, ..])
                resident = 1024 * long.Parse(words[1], CultureInfo.InvariantCulture);
            else if (words is ["Anonymous:", "0", ..] && code is { } range && madvise(range.Start, (nuint)(range.End - range.Start), MADV_DONTNEED) == 0)
                bytes += resident;
        }

        return bytes;
    }

    private static (nint Start, nint End) Range(string addresses)
    {
        int dash = addresses.IndexOf('-', StringComparison.Ordinal);
        return (nint.Parse(addresses.AsSpan(0, dash), NumberStyles.HexNumber, CultureInfo.InvariantCulture),
            nint.Parse(addresses.AsSpan(dash + 1), NumberStyles.HexNumber, CultureInfo.InvariantCulture));
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int madvise(nint start, nuint length, int advice);
}
