using System.Text.RegularExpressions;
using Tcpcp.Linux.Processes;

namespace Tcpcp.Tests.HostileSnapshots;

/// <summary>What the kernel complains of while this is open.</summary>
internal sealed partial class KernelLog
{
    private readonly HashSet<string> _before;

    private KernelLog(HashSet<string> before) => _before = before;

    public static async Task<KernelLog> BeginAsync() => new([.. await ReadAsync()]);

    public async Task AssertCleanAsync() => Assert.DoesNotContain(await ReadAsync(), line => !_before.Contains(line) && Complaint().IsMatch(line));

    private static async Task<string[]> ReadAsync()
    {
        await using ChildProcess dmesg = ChildProcess.Start("/usr/bin/dmesg", [], new ChildOptions { Output = ChildOutput.Captured });
        string[] lines = (await dmesg.Output!.Completed).Split('\n');
        Assert.Equal(0, await dmesg.Exit);
        return lines;
    }

    [GeneratedRegex(@"\b(WARNING|BUG|Oops|general protection|refcount_t|KASAN|UBSAN|soft lockup|Call Trace)\b", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Complaint();
}
