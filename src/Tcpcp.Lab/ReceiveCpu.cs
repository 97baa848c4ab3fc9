namespace Tcpcp.Lab;

/// <summary>
/// One CPU handles what an interface receives. With more, the frames of one connection overtake each other between the CPUs, and a healthy
/// connection looks reordered to a capture.
/// </summary>
internal static class ReceiveCpu
{
    private const string FirstCpu = "1"; // a mask

    /// <summary>For an interface with one receive queue, in the namespaces of the calling thread.</summary>
    public static void UseOne(string interfaceName) => File.WriteAllText($"/sys/class/net/{interfaceName}/queues/rx-0/rps_cpus", FirstCpu);
}
