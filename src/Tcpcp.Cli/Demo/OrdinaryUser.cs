using System.Runtime.InteropServices;
using Tcpcp.Linux;
using Tcpcp.Linux.Processes;

namespace Tcpcp.Cli.Demo;

/// <summary>The demo of a user who is not root: the same command again, in a user namespace in which he is.</summary>
internal static class OrdinaryUser
{
    private const string Marker = "TCPCP_DEMO_IN_USER_NAMESPACE";
    private const int SIGTERM = 15; // signal.h
    private const string Tun = "/dev/net/tun";

    /// <summary>This is the second of the two: there is no third.</summary>
    public static bool IsInside => Environment.GetEnvironmentVariable(Marker) is not null;

    /// <returns>The exit code of the demo.</returns>
    /// <exception cref="DemoException">This system does not allow it; the message says what is missing.</exception>
    public static async Task<int> RunAgainAsync(CancellationToken cancellationToken)
    {
        if (FindObstacles() is { Count: > 0 } obstacles)
            throw new DemoException($"Run it as root, or let ordinary users do it:\n  {string.Join("\n  ", obstacles)}");
        (string program, IReadOnlyList<string> before) = OwnProgram.Find();
        using UserNamespaceProcess demo = Start(program, [.. before, .. Environment.GetCommandLineArgs().Skip(1)]);
        // A Ctrl-C goes to both; what goes to this process alone is handed on.
        using CancellationTokenRegistration stop = cancellationToken.Register(() => demo.Signal(SIGTERM));
        return await demo.WaitAsync();
    }

    private static UserNamespaceProcess Start(string program, IReadOnlyList<string> arguments)
    {
        try
        {
            return UserNamespaceProcess.Start(program, arguments, new Dictionary<string, string>(StringComparer.Ordinal) { [Marker] = "1" });
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DemoException($"It has to run as root: this system gives an ordinary user no user namespace. {e.Message}");
        }
    }

    /// <summary>What this system would have to allow.</summary>
    private static List<string> FindObstacles()
    {
        List<string> obstacles = [];
        // Debian's and Ubuntu's own settings, and the kernel's.
        if (Setting("kernel/unprivileged_userns_clone") == "0")
            obstacles.Add("user namespaces are for root only: sysctl -w kernel.unprivileged_userns_clone=1");
        if (Setting("user/max_user_namespaces") == "0")
            obstacles.Add("user namespaces are switched off: sysctl -w user.max_user_namespaces=10000");
        if (Setting("kernel/apparmor_restrict_unprivileged_userns") == "1")
            obstacles.Add("AppArmor takes the rights away in user namespaces: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0");
        try
        {
            using SafeHandle tun = File.OpenHandle(Tun, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        }
        catch (FileNotFoundException)
        {
            obstacles.Add($"{Tun} is missing: modprobe tun");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            obstacles.Add($"{Tun} is for root only: chmod 666 {Tun} (as most distributions have it; only who may manage a network can use it)");
        }

        return obstacles;
    }

    private static string? Setting(string name) => File.Exists("/proc/sys/" + name) ? File.ReadAllText("/proc/sys/" + name).Trim() : null;
}
