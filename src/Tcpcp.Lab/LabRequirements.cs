using System.Globalization;

namespace Tcpcp.Lab;

/// <summary>What the kernel must allow this process before it can make hosts.</summary>
internal static class LabRequirements
{
    // linux/capability.h
    private static readonly (int Bit, string Name, string Purpose)[] s_capabilities =
    [
        (21, "CAP_SYS_ADMIN", "namespaces and mounts"),
        (12, "CAP_NET_ADMIN", "interfaces and nftables"),
        (13, "CAP_NET_RAW", "captures"),
    ];

    /// <summary>This process has every capability.</summary>
    public static bool AreMet => Missing(File.ReadAllText("/proc/self/status")).Length == 0;

    /// <exception cref="LabUnavailableException">A capability is missing.</exception>
    public static void Check() => Check(File.ReadAllText("/proc/self/status"));

    /// <param name="processStatus">The text of /proc/PID/status.</param>
    internal static void Check(string processStatus)
    {
        string[] missing = Missing(processStatus);
        if (missing.Length > 0)
            throw new LabUnavailableException($"The lab makes network namespaces and has to run as root; missing: {string.Join(", ", missing)}.");
    }

    private static string[] Missing(string processStatus)
    {
        string line = processStatus.Split('\n').First(candidate => candidate.StartsWith("CapEff:", StringComparison.Ordinal));
        ulong effective = ulong.Parse(line["CapEff:".Length..].Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        return
        [
            .. s_capabilities.Where(capability => (effective & (1UL << capability.Bit)) == 0)
                .Select(capability => $"{capability.Name} (for {capability.Purpose})"),
        ];
    }
}
