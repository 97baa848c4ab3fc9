namespace Tcpcp.Lab;

/// <summary>Kernel settings, in the namespace of the calling thread.</summary>
internal static class Sysctl
{
    /// <param name="name">With slashes: <c>net/ipv4/ip_forward</c>.</param>
    public static void Write(string name, string value) => File.WriteAllText("/proc/sys/" + name, value);

    public static string Read(string name) => File.ReadAllText("/proc/sys/" + name).Trim();
}
