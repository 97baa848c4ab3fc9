namespace Tcpcp.Tests.EveryConnection;

/// <summary>Three hosts with jumbo frames.</summary>
public sealed class JumboLab() : PassLab(mtu: 9000);

/// <summary>Three hosts with the smallest MTU that IPv4 hosts must accept (RFC 791).</summary>
public sealed class SmallestIPv4Lab() : PassLab(mtu: 576);

/// <summary>Three hosts with the smallest MTU of IPv6 (RFC 8200, 5).</summary>
public sealed class SmallestIPv6Lab() : PassLab(mtu: 1280);

/// <summary>One host: both ends of its connections are here.</summary>
public sealed class LoopbackLab() : PassLab(mtu: 0);

public sealed class EthernetConnectionTests(PassLab lab) : EveryConnectionTests(lab), IClassFixture<PassLab>
{
    [Theory]
    [ConnectionKinds(IPKind.IPv4, IPKind.IPv6, IPKind.V4Mapped)]
    public Task Each_is_passed_there_and_back(IPKind kind, Lacking lacking) => PassThereAndBackAsync(kind, lacking);
}

public sealed class JumboConnectionTests(JumboLab lab) : EveryConnectionTests(lab), IClassFixture<JumboLab>
{
    [Theory]
    [ConnectionKinds(IPKind.IPv4, IPKind.IPv6, IPKind.V4Mapped)]
    public Task Each_is_passed_there_and_back(IPKind kind, Lacking lacking) => PassThereAndBackAsync(kind, lacking);
}

public sealed class SmallestIPv4ConnectionTests(SmallestIPv4Lab lab) : EveryConnectionTests(lab), IClassFixture<SmallestIPv4Lab>
{
    [Theory]
    [ConnectionKinds(IPKind.IPv4, IPKind.V4Mapped)]
    public Task Each_is_passed_there_and_back(IPKind kind, Lacking lacking) => PassThereAndBackAsync(kind, lacking);
}

public sealed class SmallestIPv6ConnectionTests(SmallestIPv6Lab lab) : EveryConnectionTests(lab), IClassFixture<SmallestIPv6Lab>
{
    [Theory]
    [ConnectionKinds(IPKind.IPv6)]
    public Task Each_is_passed_there_and_back(IPKind kind, Lacking lacking) => PassThereAndBackAsync(kind, lacking);
}

public sealed class LoopbackConnectionTests(LoopbackLab lab) : EveryConnectionTests(lab), IClassFixture<LoopbackLab>
{
    [Theory]
    [ConnectionKinds(IPKind.IPv4, IPKind.IPv6, IPKind.V4Mapped)]
    public Task Each_is_passed_there_and_back(IPKind kind, Lacking lacking) => PassThereAndBackAsync(kind, lacking);
}
