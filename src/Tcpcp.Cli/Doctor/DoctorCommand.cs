using System.CommandLine;
using System.Text.Json;
using Tcpcp.Linux;
using Tcpcp.Linux.Features;
using Tcpcp.Linux.Switching;

namespace Tcpcp.Cli.Doctor;

/// <summary><c>tcpcp doctor</c>: can this host do it?</summary>
internal static class DoctorCommand
{
    private const string Help = """
        Can this host pass connections? Tries everything that tcpcp uses of the system, in this network namespace, and says what is missing
        and what to do about it. Lists rules that were left behind: entries of the gate (nftables, table inet tcpcp) without a frozen or dormant
        socket, and the packet switch of a hold whose process is gone. Says what packets are switched by, BPF or nftables, what they are held by, and what is switched.
        Names settings that forwarding between hosts suffers from, with the command that mends each.

        --clean removes what was left behind, and the whole gate if nothing is behind it. It never opens the gate of a frozen or dormant socket,
        nor anything while an agent runs here. Be sure before you use it: an entry without a socket may be the guard of a connection that was
        released to another host. As long as its packets still come here, opening it makes the kernel answer them with an RST.

        Exit codes: 0 all that library and agent need is there (what is optional and leaked rules do not count); 1 something is missing, or
        --clean failed; 2 wrong use.

        Examples:
          tcpcp doctor
          tcpcp doctor --json | jq '.features[] | select(.status != "present")'
          tcpcp doctor --clean
        """;

    public static Command Create()
    {
        Option<bool> json = new("--json") { Description = "One JSON object on standard output, and nothing else." };
        Option<bool> clean = new("--clean") { Description = "Remove the rules that were left behind; see above." };
        Command command = new("doctor", Help) { json, clean };
        command.SetAction(parsed => Run(parsed.GetValue(json), parsed.GetValue(clean)));
        return command;
    }

    private static int Run(bool json, bool clean)
    {
        FeatureReport[] features = [.. KernelFeatures.All.Select(feature => FeatureReport.Of(feature, feature.Probe()))];
        bool ready = features.All(feature => feature.IsPresent || feature.Need == "optional");
        string packetSwitch = SwitchReport.NameOf(
            features.Single(feature => feature.Name == KernelFeatures.TcxProgram).IsPresent ? SwitchMechanism.Bpf : SwitchMechanism.Nftables);
        DoctorReport report = new(Environment.OSVersion.Version.ToString(), ready, features, packetSwitch, null, null, [])
        {
            Hold = features.Single(feature => feature.Name == KernelFeatures.Tap).IsPresent ? "tap" : "veth",
            Forwarding = ForwardingSettings.Look(),
        };
        try
        {
            using RuleInspection inspection = new();
            RuleFindings findings = inspection.Look();
            IReadOnlyList<string> removed = clean ? inspection.Clean(findings) : [];
            report = report with { Rules = RuleReport.Of(clean ? inspection.Look() : findings), Removed = removed };
        }
        catch (KernelException e)
        {
            report = report with { RulesUnreadable = FailureAdvice.Add(e) };
        }

        if (json)
            Console.WriteLine(JsonSerializer.Serialize(report, DoctorJson.Default.DoctorReport));
        else
            DoctorTable.Write(report);
        if (clean && report.Rules is null)
            Console.Error.WriteLine($"tcpcp doctor: nothing was cleaned. {report.RulesUnreadable}");
        return ready && !(clean && report.Rules is null) ? ExitCode.Done : ExitCode.Failed;
    }
}
