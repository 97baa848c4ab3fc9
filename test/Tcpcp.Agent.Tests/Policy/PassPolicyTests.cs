using System.Net;
using Tcpcp.Agent.Policy;
using FourTuple = Tcpcp.Core.FourTuple;

namespace Tcpcp.Agent.Tests.Policy;

/// <summary>Who may pass what to here.</summary>
public sealed class PassPolicyTests
{
    private static readonly PolicyRuleOptions[] s_rules =
    [
        new() { Origin = "host-a.example", Applications = ["web", "chat"], Addresses = ["192.0.2.0/24", "2001:db8::/64"], Ports = ["443", "8000-8099"] },
        new() { Origin = "host-a.example", Applications = ["mail"], Addresses = ["198.51.100.7"], Ports = ["25"] },
        new() { Origin = "host-b.example", Applications = ["*"], Addresses = ["*"], Ports = ["*"] },
    ];

    [Theory]
    [InlineData("host-a.example", "web", "192.0.2.1:443")]
    [InlineData("HOST-A.example", "web", "192.0.2.1:443")]
    [InlineData("host-a.example", "chat", "192.0.2.255:8000")]
    [InlineData("host-a.example", "chat", "192.0.2.255:8099")]
    [InlineData("host-a.example", "web", "[2001:db8::1]:443")]
    [InlineData("host-a.example", "web", "[::ffff:192.0.2.1]:443")]
    [InlineData("host-a.example", "mail", "198.51.100.7:25")]
    [InlineData("host-b.example", "anything", "203.0.113.1:1")]
    [InlineData("host-b.example", "anything", "[2001:db8:1::1]:65535")]
    public void What_a_rule_names_is_allowed(string origin, string application, string local) => Assert.Null(FindObstacle(origin, application, local));

    [Theory]
    [InlineData("host-c.example", "web", "192.0.2.1:443", "add one with \"origin\": \"host-c.example\" to policy.")]
    [InlineData("host-a.example", "shell", "192.0.2.1:443", "add \"shell\" to policy:0:applications.")]
    [InlineData("host-a.example", "WEB", "192.0.2.1:443", "add \"WEB\" to policy:0:applications.")]
    [InlineData("host-a.example", "web", "192.0.3.1:443", "add \"192.0.3.1\" to policy:0:addresses.")]
    [InlineData("host-a.example", "web", "[2001:db8:0:1::1]:443", "add \"2001:db8:0:1::1\" to policy:0:addresses.")]
    [InlineData("host-a.example", "web", "198.51.100.7:443", "add \"198.51.100.7\" to policy:0:addresses.")]
    [InlineData("host-a.example", "web", "192.0.2.1:8100", "add \"8100\" to policy:0:ports.")]
    [InlineData("host-a.example", "mail", "198.51.100.7:443", "add \"443\" to policy:1:ports.")]
    public void What_no_rule_names_is_refused_and_the_key_is_said(string origin, string application, string local, string advice) =>
        Assert.EndsWith(advice, FindObstacle(origin, application, local), StringComparison.Ordinal);

    [Fact]
    public void One_connection_that_is_not_allowed_is_enough() =>
        Assert.Contains("203.0.113.1", FindObstacle("host-a.example", "web", "192.0.2.1:443", "203.0.113.1:443"), StringComparison.Ordinal);

    [Fact]
    public void An_empty_policy_allows_nothing() =>
        Assert.NotNull(PassPolicy.Parse([], []).FindObstacle("host-a.example", "web", [Connection("192.0.2.1:443")]));

    [Fact]
    public void A_link_without_a_certificate_is_allowed_nothing() =>
        Assert.NotNull(PassPolicy.Parse(s_rules, []).FindObstacle(null, "web", [Connection("192.0.2.1:443")]));

    [Fact]
    public void Every_fault_is_said_with_its_key()
    {
        List<string> faults = [];
        PassPolicy.Parse(
        [
            new(),
            new() { Origin = "two words", Applications = [""], Addresses = ["192.0.2.1/24", "192.0.2.0/33", "net", "::ffff:192.0.2.0/120"], Ports = ["0", "9-8", "65536", "-1", "1-2-3"] },
        ], faults, "agent:policy");
        Assert.Equal(
        [
            "agent:policy:0:origin", "agent:policy:0:applications", "agent:policy:0:addresses", "agent:policy:0:ports",
            "agent:policy:1:origin", "agent:policy:1:applications:0",
            "agent:policy:1:addresses:0", "agent:policy:1:addresses:1", "agent:policy:1:addresses:2", "agent:policy:1:addresses:3",
            "agent:policy:1:ports:0", "agent:policy:1:ports:1", "agent:policy:1:ports:2", "agent:policy:1:ports:3", "agent:policy:1:ports:4",
        ], faults.Select(fault => fault.Split(' ')[0].TrimEnd(':')));
        Assert.Contains("bits set behind its prefix", faults[6], StringComparison.Ordinal);
    }

    private static string? FindObstacle(string origin, string application, params string[] locals)
    {
        List<string> faults = [];
        PassPolicy policy = PassPolicy.Parse(s_rules, faults);
        Assert.Empty(faults);
        return policy.FindObstacle(origin, application, [.. locals.Select(Connection)]);
    }

    private static FourTuple Connection(string local)
    {
        IPEndPoint service = IPEndPoint.Parse(local);
        return new FourTuple(service, new IPEndPoint(service.Address, 50_000));
    }
}
