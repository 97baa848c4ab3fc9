using System.Runtime.InteropServices;
using Tcpcp.Linux.Tcp;

namespace Tcpcp.Linux.UnixSockets;

/// <summary>Who was at the other end of a Unix socket when it connected, as this process's user namespace names it.</summary>
/// <param name="Groups">The supplementary groups.</param>
internal sealed record PeerCredentials(int ProcessId, uint UserId, uint GroupId, IReadOnlyList<uint> Groups)
{
    /// <summary>Whether the peer ran with this group, as its own or a supplementary one.</summary>
    public bool IsMemberOf(uint group) => GroupId == group || Groups.Contains(group);

    /// <summary>Of a connected socket's peer; of a listening socket: who made it.</summary>
    public static PeerCredentials Of(SafeHandle socket)
    {
        SocketOption.Get(socket, SocketLevel.SOL_SOCKET, SocketLevel.SO_PEERCRED, out UserCredentials user);
        return new PeerCredentials(user.ProcessId, user.UserId, user.GroupId, GroupsOf(socket));
    }

    private static uint[] GroupsOf(SafeHandle socket)
    {
        const int MaxGroups = 65536; // NGROUPS_MAX (linux/limits.h)
        for (int room = 64; ; room = MaxGroups)
        {
            byte[] buffer = new byte[room * sizeof(uint)];
            try
            {
                return MemoryMarshal.Cast<byte, uint>(SocketOption.GetBytes(socket, SocketLevel.SOL_SOCKET, SocketLevel.SO_PEERGROUPS, buffer)).ToArray();
            }
            catch (KernelException e) when (e.Errno == Errno.ERANGE && room < MaxGroups)
            {
                // There are more.
            }
            catch (KernelException e) when (e.Errno == Errno.ENODATA)
            {
                return []; // a listening socket has no peer
            }
        }
    }

    [KernelHeader("sys/socket.h", Structure = "struct ucred", Fields = "pid uid gid")]
    [StructLayout(LayoutKind.Sequential)]
    private struct UserCredentials
    {
        public int ProcessId;
        public uint UserId;
        public uint GroupId;
    }
}
