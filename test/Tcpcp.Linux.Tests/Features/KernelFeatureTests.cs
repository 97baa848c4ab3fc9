using Tcpcp.Linux.Features;

namespace Tcpcp.Linux.Tests.Features;

public sealed class KernelFeatureTests
{
    public static TheoryData<string> Names { get; } = new(KernelFeatures.All.Select(feature => feature.Name));

    [Theory]
    [MemberData(nameof(Names))]
    public void A_feature_is_present_where_the_kernel_is_new_enough(string name)
    {
        using LoopbackHost host = new();
        KernelFeature feature = KernelFeatures.All.Single(feature => feature.Name == name);
        FeatureFinding finding = host.Run(feature.Probe);
        if (finding.Status == FeatureStatus.Present)
            return;
        string text = $"{name}: {finding.Status}, {finding.Detail}";
        // An optional feature may be forbidden here; what is older than the kernel is missing by right.
        if (feature.MinKernel is { } first && Environment.OSVersion.Version < first)
            Assert.Skip($"{text}; it came with Linux {first}");
        if (feature.Need == FeatureNeed.Optional && finding.Status == FeatureStatus.NotPermitted)
            Assert.Skip(text);
        Assert.Fail(text);
    }

    [Fact]
    public void The_probes_leave_nothing_behind()
    {
        using LoopbackHost host = new();
        host.Run(() => KernelFeatures.All.Select(feature => feature.Probe()).ToArray());
        Assert.Equal("", host.Nft("list ruleset"));
        Assert.Equal(["lo"], host.Network.Links.List().Select(link => link.Name));
    }

    [Fact]
    public void A_probe_of_nftables_fails_where_the_kernel_refuses()
    {
        using LoopbackHost host = new();
        KernelFeature feature = new("planted", () =>
        {
            Tcpcp.Linux.Nftables.LibNftables.Check("add rule inet nowhere chain accept");
            return FeatureFinding.Present;
        })
        {
            NeededFor = "this test",
            IfMissing = "Nothing.",
        };
        FeatureFinding finding = host.Run(feature.Probe);
        Assert.Equal(FeatureStatus.Missing, finding.Status);
        Assert.Equal("Nothing.", feature.AdviceOn(finding));
    }
}
