using Tcpcp.Linux.Nftables;

namespace Tcpcp.Linux.Features;

/// <summary>How much depends on a feature.</summary>
internal enum FeatureNeed
{
    /// <summary>Without it nothing can be passed.</summary>
    Always,

    /// <summary>The agent needs it; the library does not.</summary>
    Agent,

    /// <summary>Something is better with it.</summary>
    Optional,
}

/// <summary>Something that tcpcp uses of the system, with a probe that really uses it and leaves nothing behind.</summary>
internal sealed class KernelFeature(string name, Func<FeatureFinding> probe)
{
    private const string Permission = "Run as root, or give CAP_NET_ADMIN in the network namespace (systemd: AmbientCapabilities=CAP_NET_ADMIN).";

    /// <summary>Short, in the kernel's words.</summary>
    public string Name { get; } = name;

    /// <summary>What tcpcp does with it.</summary>
    public required string NeededFor { get; init; }

    public FeatureNeed Need { get; init; } = FeatureNeed.Always;

    /// <summary>The first kernel that has it, unless it was configured out; null: does not depend on the kernel.</summary>
    public Version? MinKernel { get; init; }

    /// <summary>What to do when it is missing.</summary>
    public required string IfMissing { get; init; }

    /// <summary>What to do when it is not permitted.</summary>
    public string IfNotPermitted { get; init; } = Permission;

    /// <summary>What to do about a finding; null if nothing.</summary>
    public string? AdviceOn(FeatureFinding finding) => finding.Status switch
    {
        FeatureStatus.Missing => IfMissing,
        FeatureStatus.NotPermitted => IfNotPermitted,
        _ => null,
    };

    /// <summary>Looks, in the calling thread's network namespace. Never throws for what the system lacks.</summary>
    public FeatureFinding Probe()
    {
        try
        {
            return probe();
        }
        catch (KernelException e)
        {
            return e.Errno is Errno.EPERM or Errno.EACCES ? FeatureFinding.NotPermitted(e.Answer) : FeatureFinding.Missing(e.Answer);
        }
        catch (NftablesException e)
        {
            // The library says it in words only.
            return e.Reason.Contains("not permitted", StringComparison.Ordinal)
                ? FeatureFinding.NotPermitted(FirstLine(e.Reason))
                : FeatureFinding.Missing(FirstLine(e.Reason));
        }
        catch (UnauthorizedAccessException e)
        {
            return FeatureFinding.NotPermitted(e.Message);
        }
        catch (Exception e) when (e is IOException or DllNotFoundException)
        {
            return FeatureFinding.Missing(e.Message);
        }
    }

    private static string FirstLine(string text) => text.Split('\n')[0];
}
