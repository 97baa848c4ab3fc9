using Tcpcp.Linux;

namespace Tcpcp.Cli.Save;

/// <summary>The kernel says only that something is not permitted.</summary>
internal static class PermissionHint
{
    /// <returns>The message, and what is needed where that is why.</returns>
    public static string Add(Exception e) => e is KernelException { Errno: Errno.EPERM }
        ? $"{e.Message}: run as root, or with CAP_NET_ADMIN (and CAP_SYS_PTRACE for processes of other users)."
        : e.Message.EndsWith('.') ? e.Message : e.Message + ".";
}
