namespace Tcpcp.Linux.Features;

/// <summary>What a probe found.</summary>
internal enum FeatureStatus
{
    Present,

    /// <summary>The kernel, or a library, does not have it.</summary>
    Missing,

    /// <summary>This process may not use it; whether the kernel has it is not known.</summary>
    NotPermitted,
}

/// <summary>The outcome of a probe.</summary>
/// <param name="Detail">What the kernel said; null if it is present.</param>
internal readonly record struct FeatureFinding(FeatureStatus Status, string? Detail)
{
    public static FeatureFinding Present { get; } = new(FeatureStatus.Present, null);

    public static FeatureFinding Missing(string detail) => new(FeatureStatus.Missing, detail);

    public static FeatureFinding NotPermitted(string detail) => new(FeatureStatus.NotPermitted, detail);
}
