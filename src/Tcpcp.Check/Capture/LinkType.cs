namespace Tcpcp.Check.Capture;

/// <summary>Link-layer header types, numbered as in the tcpdump.org registry; only those that are understood.</summary>
internal enum LinkType : ushort
{
    /// <summary>BSD loopback: 4 bytes of address family in the capturing host's byte order.</summary>
    Null = 0,
    Ethernet = 1,

    /// <summary>LINKTYPE_RAW as some BSDs write it.</summary>
    RawBsd = 12,
    RawOpenBsd = 14,
    Raw = 101,

    /// <summary>OpenBSD loopback: as <see cref="Null"/>, in network byte order.</summary>
    Loop = 108,

    /// <summary>Linux cooked capture (<c>tcpdump -i any</c>), 16 bytes.</summary>
    LinuxSll = 113,
    IPv4 = 228,
    IPv6 = 229,

    /// <summary>Linux cooked capture, version 2, 20 bytes.</summary>
    LinuxSll2 = 276,
}
