namespace Tcpcp.Linux.Netlink;

/// <summary>NLM_F_* (linux/netlink.h). The kernel uses the bits from 0x100 on twice: <see cref="Dump"/> is for requests that read, the others
/// for requests that make something.</summary>
[Flags]
internal enum NetlinkFlags : ushort
{
    None = 0,
    Request = 0x1,
    Multi = 0x2,

    /// <summary>Asks for an answer in the case of success too.</summary>
    Ack = 0x4,
    Echo = 0x8,

    /// <summary>In a dump: the list changed while it was read.</summary>
    DumpInterrupted = 0x10,
    Replace = 0x100,

    /// <summary>Fails with EEXIST if it exists.</summary>
    Exclusive = 0x200,

    /// <summary>NLM_F_ROOT and NLM_F_MATCH, in a request for a list: the whole list.</summary>
    Dump = 0x300,
    Create = 0x400,
    Append = 0x800,
}
