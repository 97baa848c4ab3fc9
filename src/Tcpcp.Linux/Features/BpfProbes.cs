using Tcpcp.Linux.Bpf;
using Tcpcp.Linux.Congestion;
using Tcpcp.Linux.Switching;

namespace Tcpcp.Linux.Features;

/// <summary>Probes of bpf(2).</summary>
internal static class BpfProbes
{
    private const int Loopback = 1; // of every network namespace

    /// <summary>Loads the packet switch's program and puts it at the hook of the loopback interface, where it has no entries and lets everything pass.</summary>
    public static FeatureFinding TcxProgram()
    {
        if (!BpfPin.IsPossible())
            return FeatureFinding.Missing("no BPF file system is mounted");
        using BpfProgram program = BpfPacketSwitch.LoadEmpty();
        using TcxLink link = TcxLink.Attach(program, Loopback, before: null);
        return FeatureFinding.Present;
    }

    /// <summary>Registers a congestion control, which nothing chooses.</summary>
    public static FeatureFinding CongestionControl()
    {
        using CongestionStarter starter = CongestionStarter.Open();
        return FeatureFinding.Present;
    }

    /// <summary>Attaches the program that keeps congestion windows to this process's cgroup, where it has no seeds and does nothing.</summary>
    public static FeatureFinding SocketEvents()
    {
        using CongestionKeep keep = CongestionKeep.OpenUnpinned();
        return BpfPin.IsPossible() ? FeatureFinding.Present
            : FeatureFinding.Missing("no BPF file system is mounted: the rate is limited for the first round trip only");
    }
}
