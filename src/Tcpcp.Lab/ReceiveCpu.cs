using System.Diagnostics;

namespace Tcpcp.Lab;

/// <summary>
/// One CPU handles what an interface receives. With more, the frames of one connection overtake each other between the CPUs, and a healthy
/// connection looks reordered to a capture.
/// </summary>
internal static class ReceiveCpu
{
    private const string FirstCpu = "1"; // a mask

    /// <summary>For an interface with one receive queue, in the namespaces of the calling thread.</summary>
    /// <exception cref="LabUnavailableException">This process may not (it needs CAP_NET_ADMIN outside of all user namespaces) and has several CPUs.</exception>
    /// <returns>False if this process may not, and everything runs on one CPU anyway.</returns>
    public static bool UseOne(string interfaceName)
    {
        try
        {
            File.WriteAllText($"/sys/class/net/{interfaceName}/queues/rx-0/rps_cpus", FirstCpu);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // What is sent on a CPU is received on it: with one CPU for everything the order is kept too.
            using Process self = Process.GetCurrentProcess();
            if (!OperatingSystem.IsLinux() || !nint.IsPow2(self.ProcessorAffinity))
                throw new LabUnavailableException($"The receive queue of {interfaceName} cannot be bound to one CPU: {e.Message} Run on one CPU: taskset 1.");
            return false;
        }
    }
}
