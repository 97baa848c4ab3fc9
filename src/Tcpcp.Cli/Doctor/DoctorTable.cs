using Spectre.Console;
using Tcpcp.Agent.Redirection;

namespace Tcpcp.Cli.Doctor;

/// <summary>The report for people.</summary>
internal static class DoctorTable
{
    public static void Write(DoctorReport report)
    {
        IAnsiConsole console = PeopleConsole.Create();
        Table table = new Table().Border(TableBorder.Simple);
        table.AddColumn("Feature", column => column.NoWrap());
        table.AddColumns("Since", "Status", "Needed for");
        foreach (FeatureReport feature in report.Features)
            table.AddRow(new Text(feature.Name), new Text(feature.MinKernel ?? ""), Status(feature),
                new Text(feature.NeededFor + Suffix(feature)));
        console.Write(table);
        foreach (FeatureReport feature in report.Features.Where(feature => !feature.IsPresent))
            console.MarkupLineInterpolated($"[yellow]{feature.Name}[/]: {feature.Detail}. {feature.Advice}");
        console.MarkupLineInterpolated($"Packets of single connections are switched by {(report.PacketSwitch == "bpf" ? "BPF" : "nftables")}, and held during a pass by {HoldName(report.Hold)}.");
        foreach (SettingReport setting in report.Forwarding.Where(setting => !setting.Fits))
            console.MarkupLineInterpolated($"[yellow]Forwarding between hosts: {setting.Name} is {setting.Value}.[/] {setting.Detail} To mend it: {setting.Command}");
        WriteRules(console, report);
        foreach (string removed in report.Removed)
            console.MarkupLineInterpolated($"Removed: {removed}.");
        console.MarkupLine(report.Ready
            ? "[green]This host can pass connections.[/]"
            : "[red]This host cannot pass connections[/] until what is needed is there.");
    }

    private static void WriteRules(IAnsiConsole console, DoctorReport report)
    {
        if (report.Rules is not { } rules)
        {
            console.MarkupLineInterpolated($"[yellow]The rules of tcpcp cannot be read:[/] {report.RulesUnreadable}");
            return;
        }

        console.MarkupLineInterpolated(
            $"Gate: {(rules.Gate ? "there" : "none")}, {rules.GatedSockets.Count} frozen or dormant sockets, {rules.Closed.Count} entries.");
        foreach (ClosedReport entry in rules.Closed)
        {
            console.MarkupLineInterpolated($"  {entry.Connection}: {entry.Use switch
            {
                "gated" => "frozen or dormant, it stays",
                "agent" => "no socket; an agent runs here, so it may be of an open pass: it stays",
                _ => "leaked: no socket with the gate's mark",
            }}");
        }

        foreach (SwitchReport one in rules.Switches)
        {
            console.MarkupLineInterpolated($"Packet switch '{one.Name}' ({one.Mechanism}): {one.Entries.Count} connections, {UseOf(one)}.");
            foreach (SwitchedReport entry in one.Entries)
                console.MarkupLineInterpolated($"  {entry.Connection}: {entry.Verdict}{(entry.NextHop is { } nextHop ? $" to {nextHop}" : "")}");
        }

        foreach (RouteReport route in rules.Routes)
            console.MarkupLineInterpolated($"Route: {route.Address} to {route.NextHop}, made by the agent of a peer or its first hop.");
        if (rules.Hold is { } hold)
            console.MarkupLineInterpolated($"Hold: the agent that runs here holds packets by {HoldName(hold)}.");
        if (rules.HoldLeaked)
            console.MarkupLine("Hold: its packet switch or its interface is there, and the process that held packets is gone: it drops packets.");
        foreach (KeepReport keep in rules.CongestionKeeps)
        {
            string use = rules.AgentRuns ? "an agent runs here"
                : keep.Connections > 0 ? $"the pacing rates of {keep.Connections} connections are limited still, then 'tcpcp doctor --clean' removes it" : "'tcpcp doctor --clean' removes it if nothing uses it any more";
            console.MarkupLineInterpolated($"Program that keeps congestion windows, of cgroup {keep.Cgroup}: {use}.");
        }

        if (rules.Tunnel)
        {
            string removal = rules.AgentRuns ? "an agent runs here, and removes it if its configuration has no tunnel" : "no agent runs here, and 'tcpcp doctor --clean' removes it";
            console.MarkupLineInterpolated($"Tunnel {VxlanTunnel.DeviceName}: {rules.TunnelConnections} connections may use it; {removal}{(rules.TunnelConnections > 0 ? " when the last of them has ended" : "")}.");
        }

        if (rules.StopLeaked)
            console.MarkupLine("New connections of an address that was to move to another host are stopped, and the agent that did so is gone.");
        if (rules.HasLeaks && report.Removed.Count == 0)
            console.MarkupLine("[yellow]'tcpcp doctor --clean' removes what is leaked.[/] An entry may be the guard of a connection that was " +
                "passed away: as long as its packets still come to this host, opening it makes the kernel answer them with an RST.");
    }

    private static string HoldName(string hold) => hold == "tap" ? "a TAP interface" : "a veth pair with a packet socket";

    private static string UseOf(SwitchReport one) => one.Name switch
    {
        "forward" => "which other hosts own; each entry goes when its owner says that the connection has ended",
        "gateway" => "which do not go by the table of backends; each entry goes when its owner says that the connection has ended",
        _ => "which are being passed; their packets wait here",
    };

    private static Markup Status(FeatureReport feature) => new(feature.Status switch
    {
        "present" => "[green]present[/]",
        "missing" => "[red]missing[/]",
        _ => "[red]not permitted[/]",
    });

    private static string Suffix(FeatureReport feature) => feature.Need switch
    {
        "agent" => " (agent only)",
        "optional" => " (optional)",
        _ => "",
    };
}
