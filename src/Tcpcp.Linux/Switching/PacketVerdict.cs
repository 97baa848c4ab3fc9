namespace Tcpcp.Linux.Switching;

/// <summary>What becomes of an arriving packet (<c>enum verdict</c>, bpf/packet_switch.c).</summary>
internal enum PacketVerdict : uint
{
    /// <summary>It goes on, as without an entry, but is counted.</summary>
    Pass = 0,

    Drop = 1,

    /// <summary>It is sent out of an interface of this host as it is, for somebody who keeps it: a TAP.</summary>
    Hold = 2,

    /// <summary>It is sent to another host, a neighbour on an interface; the kernel finds its link-layer address.</summary>
    Redirect = 3,
}
