using System.Text.Json.Serialization;
using Tcpcp.Agent.Hold;
using Tcpcp.Linux.Features;
using Tcpcp.Linux.Switching;

namespace Tcpcp.Cli.Doctor;

/// <summary>What <c>tcpcp doctor --json</c> prints, with snake_case names.</summary>
/// <param name="Kernel">The kernel's version.</param>
/// <param name="Ready">All that is needed to pass connections is there.</param>
/// <param name="Features">What was probed.</param>
/// <param name="PacketSwitch">What an agent's packet switches are made of here, unless its configuration says otherwise: bpf or nftables.</param>
/// <param name="Rules">The rules of tcpcp; null: they cannot be read, see <paramref name="RulesUnreadable"/>.</param>
/// <param name="RulesUnreadable">Why.</param>
/// <param name="Removed">What <c>--clean</c> has removed.</param>
internal sealed record DoctorReport(
    string Kernel, bool Ready, IReadOnlyList<FeatureReport> Features, string PacketSwitch, RuleReport? Rules, string? RulesUnreadable, IReadOnlyList<string> Removed)
{
    /// <summary>What an agent's hold is made of here, unless its configuration says otherwise: tap or veth.</summary>
    public required string Hold { get; init; }

    /// <summary>What matters where packets are forwarded.</summary>
    public IReadOnlyList<SettingReport> Forwarding { get; init; } = [];
}

/// <param name="Status">present, missing or not_permitted.</param>
/// <param name="Need">always, agent or optional.</param>
/// <param name="Detail">What the system said.</param>
/// <param name="Advice">What to do about it.</param>
internal sealed record FeatureReport(
    string Name, string Status, string Need, string NeededFor, string? MinKernel, string? Detail, string? Advice)
{
    public static FeatureReport Of(KernelFeature feature, FeatureFinding finding) => new(
        feature.Name,
        finding.Status switch
        {
            FeatureStatus.Present => "present",
            FeatureStatus.Missing => "missing",
            _ => "not_permitted",
        },
        feature.Need switch
        {
            FeatureNeed.Always => "always",
            FeatureNeed.Agent => "agent",
            _ => "optional",
        },
        feature.NeededFor, feature.MinKernel?.ToString(), finding.Detail, feature.AdviceOn(finding));

    [JsonIgnore]
    public bool IsPresent => Status == "present";
}

/// <param name="Gate">The gate's table is there.</param>
/// <param name="GatedSockets">Connections whose socket has the gate's mark: frozen or dormant.</param>
/// <param name="Closed">Connections whose packets the gate drops.</param>
/// <param name="AgentRuns">A process holds packets here.</param>
/// <param name="HoldLeaked">A hold's packet switch, or its interface, is there whose process is gone.</param>
/// <param name="Switches">The installed packet switches.</param>
/// <param name="Routes">Service addresses that an agent routes to the hosts that have them.</param>
internal sealed record RuleReport(
    bool Gate, IReadOnlyList<string> GatedSockets, IReadOnlyList<ClosedReport> Closed, bool AgentRuns, bool HoldLeaked,
    IReadOnlyList<SwitchReport> Switches, IReadOnlyList<RouteReport> Routes)
{
    public static RuleReport Of(RuleFindings findings) => new(
        findings.HasGate, [.. findings.Gated.Select(connection => connection.ToString())],
        [.. findings.Closed.Select(entry => new ClosedReport(entry.Connection.ToString(), entry.Use switch
        {
            EntryUse.Gated => "gated",
            EntryUse.Agent => "agent",
            _ => "leaked",
        }))],
        findings.AgentRuns, findings.HoldLeaked,
        [.. findings.Switches.Select(one => new SwitchReport(one.Place.Name, SwitchReport.NameOf(one.Mechanism),
            [.. one.Entries.Select(entry => new SwitchedReport(entry.Connection.ToString(), entry.Target.Verdict.ToString().ToLowerInvariant(), entry.Target.NextHop?.ToString()))]))],
        [.. findings.Routes.Select(route => new RouteReport(route.Destination.Address.ToString(), route.Gateway?.ToString()))])
    {
        Hold = findings.Hold switch
        {
            HoldMechanism.Tap => "tap",
            HoldMechanism.Veth => "veth",
            _ => null,
        },
        CongestionKeeps = [.. findings.Keeps.Select(keep => new KeepReport(keep.Cgroup, keep.Connections))],
        StopLeaked = findings.StopLeaked,
        Tunnel = findings.Tunnel,
        TunnelConnections = findings.TunnelUsers,
    };

    /// <summary>What the running agent holds packets by: tap or veth; null: none runs here.</summary>
    public string? Hold { get; init; }

    /// <summary>What keeps congestion windows (congestion: keep) is pinned for these cgroups.</summary>
    public IReadOnlyList<KeepReport> CongestionKeeps { get; init; } = [];

    /// <summary>There is the link of a tunnel to other hosts. Without an agent it may be in use still: forwarding goes on.</summary>
    public bool Tunnel { get; init; }

    /// <summary>Connections whose packets go through it, or may come through it: as long as there are any, it is not removed.</summary>
    public int TunnelConnections { get; init; }

    /// <summary>The new connections of an address that was to move are stopped, and the agent that did so is gone.</summary>
    public bool StopLeaked { get; init; }

    [JsonIgnore]
    public bool HasLeaks => HoldLeaked || StopLeaked || Closed.Any(entry => entry.Use == "leaked");
}

/// <param name="Use">gated: a frozen or dormant socket; agent: perhaps an open pass of the running agent; leaked: no socket behind it.</param>
internal sealed record ClosedReport(string Connection, string Use);

/// <param name="Cgroup">Number of the cgroup; 0: it is gone.</param>
/// <param name="Connections">Those whose pacing rate is limited still.</param>
internal sealed record KeepReport(ulong Cgroup, int Connections);

/// <param name="Address">The service's.</param>
/// <param name="NextHop">The host that has it.</param>
internal sealed record RouteReport(string Address, string? NextHop);

/// <param name="Name">gateway: packets that go to backends; forward: packets that go on to another host; hold: packets that wait here during a pass.</param>
/// <param name="Mechanism">bpf or nftables.</param>
internal sealed record SwitchReport(string Name, string Mechanism, IReadOnlyList<SwitchedReport> Entries)
{
    public static string NameOf(SwitchMechanism mechanism) => mechanism == SwitchMechanism.Bpf ? "bpf" : "nftables";
}

/// <param name="Verdict">pass, drop, hold or redirect.</param>
/// <param name="NextHop">Where redirected packets go.</param>
internal sealed record SwitchedReport(string Connection, string Verdict, string? NextHop);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true)]
[JsonSerializable(typeof(DoctorReport))]
internal sealed partial class DoctorJson : JsonSerializerContext;
