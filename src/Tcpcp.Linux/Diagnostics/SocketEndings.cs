using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Tcpcp.Linux.Netlink;

namespace Tcpcp.Linux.Diagnostics;

/// <summary>
/// Hears of every TCP socket of a network namespace whose end has come (multicast groups of sock_diag), by its cookie (<see cref="ListedSocket.Cookie"/>). It is
/// that of the opening thread.
/// </summary>
/// <remarks>
/// A socket ends when nobody needs it any more: its descriptors are closed, and the connection has ended, or has become TIME_WAIT, or FIN_WAIT2 without a holder: what stands for those two
/// is another, smaller object with the same four-tuple and cookie, whose end nobody is told of. An aborted socket has lost its four-tuple by then: only the cookie is
/// sure. What comes faster than it is read is lost, and said to be.
/// </remarks>
[KernelHeader("linux/sock_diag.h")]
internal sealed class SocketEndings : IDisposable
{
    /// <summary>Some 2,000 endings.</summary>
    public const int DefaultBufferBytes = 1 << 20;

    private const int SKNLGRP_INET_TCP_DESTROY = 1; // linux/sock_diag.h
    private const int SKNLGRP_INET6_TCP_DESTROY = 3;
    private const ushort SOCK_DIAG_BY_FAMILY = 20;
    private const int CookieAt = NetlinkMessage.HeaderBytes + 44; // idiag_cookie in struct inet_diag_msg

    private readonly byte[] _buffer = new byte[64 * 1024];
    private readonly SafeFileHandle _handle;

    private SocketEndings(SafeFileHandle handle) => _handle = handle;

    /// <param name="limit">How long <see cref="Wait"/> waits.</param>
    /// <param name="bufferBytes">What may wait to be read.</param>
    public static SocketEndings Open(TimeSpan limit, int bufferBytes = DefaultBufferBytes) => new(NetlinkSystemCalls.OpenListener(
        NetlinkSocket.NETLINK_SOCK_DIAG, [SKNLGRP_INET_TCP_DESTROY, SKNLGRP_INET6_TCP_DESTROY], bufferBytes, limit));

    /// <summary>Waits for endings. One reader at a time.</summary>
    /// <param name="cookies">Gets the cookies of the sockets.</param>
    /// <returns>False if some were lost before these.</returns>
    public bool Wait(ICollection<ulong> cookies)
    {
        try
        {
            if (NetlinkSystemCalls.WaitAndReceive(_handle, _buffer, out int bytes))
                Read(_buffer.AsSpan(0, bytes), cookies);
            while (NetlinkSystemCalls.TryReceive(_handle, _buffer, out bytes))
                Read(_buffer.AsSpan(0, bytes), cookies);
            return true;
        }
        catch (KernelException e) when (e.Errno == Errno.ENOBUFS)
        {
            return false;
        }
    }

    public void Dispose() => _handle.Dispose();

    private static void Read(ReadOnlySpan<byte> datagram, ICollection<ulong> cookies)
    {
        while (datagram.Length >= NetlinkMessage.HeaderBytes)
        {
            int length = MemoryMarshal.Read<int>(datagram);
            if (length < NetlinkMessage.HeaderBytes || length > datagram.Length)
                return;
            if (MemoryMarshal.Read<ushort>(datagram[4..]) == SOCK_DIAG_BY_FAMILY && length >= CookieAt + sizeof(ulong))
                cookies.Add(MemoryMarshal.Read<ulong>(datagram[CookieAt..]));
            datagram = datagram[Math.Min((length + 3) & ~3, datagram.Length)..];
        }
    }
}
