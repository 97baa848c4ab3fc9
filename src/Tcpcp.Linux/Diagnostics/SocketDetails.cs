using System.Runtime.InteropServices;
using System.Text;
using Tcpcp.Linux.Netlink;

namespace Tcpcp.Linux.Diagnostics;

/// <summary>All that sock_diag says of one TCP socket. It is read without disturbing the connection: no repair mode, no descriptor.</summary>
[KernelHeader("linux/inet_diag.h", "linux/sock_diag.h")]
internal sealed record SocketDetails
{
    private const ushort INET_DIAG_INFO = 2; // linux/inet_diag.h
    private const ushort INET_DIAG_CONG = 4;
    private const ushort INET_DIAG_TOS = 5;
    private const ushort INET_DIAG_TCLASS = 6;
    private const ushort INET_DIAG_SKMEMINFO = 7;
    private const ushort INET_DIAG_SHUTDOWN = 8;
    private const ushort INET_DIAG_MD5SIG = 18;
    private const ushort INET_DIAG_ULP_INFO = 19;
    private const ushort INET_DIAG_CGROUP_ID = 21;
    private const ushort INET_ULP_INFO_NAME = 1;

    private const int RcvWndOffset = 232; // tcpi_rcv_wnd (Linux 6.2), younger than many headers

    public required ListedSocket Socket { get; init; }

    /// <summary>TCP_INFO; null in TIME_WAIT and SYN_RECV.</summary>
    public DiagnosticTcpInfo? Info { get; private set; }

    /// <summary>RCV.WND in bytes; null before Linux 6.2.</summary>
    public uint? RcvWnd { get; private set; }

    /// <summary>The congestion control's name.</summary>
    public string? Congestion { get; private set; }

    /// <summary>IP_TOS.</summary>
    public byte? TypeOfService { get; private set; }

    /// <summary>IPV6_TCLASS.</summary>
    public byte? TrafficClass { get; private set; }

    /// <summary>Memory and its limits.</summary>
    public SocketMemory? Memory { get; private set; }

    /// <summary>Bit 0: the receiving side is shut down; bit 1: the sending side.</summary>
    public byte Shutdown { get; private set; }

    /// <summary>The upper layer protocol in the kernel, such as <c>tls</c> or <c>mptcp</c>; seen only with CAP_NET_ADMIN.</summary>
    public string? UpperLayer { get; private set; }

    /// <summary>TCP-MD5 keys are set; seen only with CAP_NET_ADMIN.</summary>
    public bool HasMd5Keys { get; private set; }

    /// <summary>The number of its cgroup (version 2).</summary>
    public ulong? CgroupId { get; private set; }

    /// <summary>The extensions to ask for: a bit for each attribute up to INET_DIAG_SHUTDOWN; the younger ones come by themselves.</summary>
    public static byte Extensions => 1 << (INET_DIAG_INFO - 1) | 1 << (INET_DIAG_CONG - 1) | 1 << (INET_DIAG_TOS - 1) | 1 << (INET_DIAG_TCLASS - 1)
        | 1 << (INET_DIAG_SKMEMINFO - 1) | 1 << (INET_DIAG_SHUTDOWN - 1);

    /// <param name="attributes">What follows struct inet_diag_msg.</param>
    public static SocketDetails Read(ListedSocket socket, ReadOnlySpan<byte> attributes)
    {
        SocketDetails details = new() { Socket = socket };
        foreach (NetlinkAttribute attribute in new NetlinkAttributes(attributes))
            details.Take(attribute);
        return details;
    }

    private void Take(NetlinkAttribute attribute)
    {
        ReadOnlySpan<byte> value = attribute.Value;
        switch (attribute.Type)
        {
            case INET_DIAG_INFO:
                Info = Prefix<DiagnosticTcpInfo>(value);
                RcvWnd = value.Length >= RcvWndOffset + sizeof(uint) ? MemoryMarshal.Read<uint>(value[RcvWndOffset..]) : null;
                break;
            case INET_DIAG_CONG:
                Congestion = attribute.AsString;
                break;
            case INET_DIAG_TOS:
                TypeOfService = value[0];
                break;
            case INET_DIAG_TCLASS:
                TrafficClass = value[0];
                break;
            case INET_DIAG_SKMEMINFO:
                Memory = Prefix<SocketMemory>(value);
                break;
            case INET_DIAG_SHUTDOWN:
                Shutdown = value[0];
                break;
            case INET_DIAG_MD5SIG:
                HasMd5Keys = value.Length > 0;
                break;
            case INET_DIAG_ULP_INFO:
                foreach (NetlinkAttribute nested in attribute.Nested)
                {
                    if (nested.Type == INET_ULP_INFO_NAME)
                        UpperLayer = Encoding.ASCII.GetString(nested.Value.TrimEnd((byte)0));
                }

                break;
            case INET_DIAG_CGROUP_ID:
                CgroupId = MemoryMarshal.Read<ulong>(value);
                break;
        }
    }

    // An older kernel fills less of a structure: the rest is zero.
    private static T Prefix<T>(ReadOnlySpan<byte> value)
        where T : unmanaged
    {
        T result = default;
        Span<byte> bytes = MemoryMarshal.AsBytes(new Span<T>(ref result));
        value[..Math.Min(value.Length, bytes.Length)].CopyTo(bytes);
        return result;
    }
}

/// <summary>Memory of a socket in bytes, in the order of SK_MEMINFO_* (linux/sock_diag.h).</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly record struct SocketMemory(
    uint ReceiveAllocated, uint ReceiveBuffer, uint SendAllocated, uint SendBuffer, uint ForwardAllocated, uint SendQueued, uint OptionMemory,
    uint Backlog, uint Drops);
