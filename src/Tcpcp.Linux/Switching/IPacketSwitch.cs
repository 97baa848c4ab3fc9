using Tcpcp.Core;

namespace Tcpcp.Linux.Switching;

/// <summary>
/// Says of each TCP packet that arrives on an interface, by its four-tuple, what becomes of it. It is in the kernel and outlives its process: an entry stands
/// until it is removed, and the next <see cref="PacketSwitch.Open"/> finds it. One process at a time changes it.
/// </summary>
/// <remarks>
/// Without an entry a packet goes on untouched, and so does always what is not TCP, every fragment but the first, TCP behind IPv6 extension headers, and a frame
/// with a VLAN tag. Only arriving packets are switched: what this host sends is stopped by the gate, in the output hook, where TCP notices.
/// </remarks>
internal interface IPacketSwitch : IDisposable
{
    SwitchMechanism Mechanism { get; }

    /// <summary>Sets what becomes of a connection's packets: every packet that comes when this has returned. No packet meets a state between.</summary>
    void Set(SwitchEntry entry);

    /// <summary>The same for many connections at the cost of few; of each connection all packets before or none after, but not of all at one instant.</summary>
    void Set(IReadOnlyCollection<SwitchEntry> entries);

    /// <summary>The connection's packets go on untouched.</summary>
    /// <returns>False if there was no entry.</returns>
    bool Remove(FourTuple connection);

    /// <summary>
    /// The packets of a connection that is held go on untouched if exactly so many have been held since its entry was set: whoever has let all of them arrive knows that none of
    /// them is overtaken. nftables cannot compare: there they go on in any case.
    /// </summary>
    /// <returns>False: it is held as before, since there were more, or fewer.</returns>
    bool TryRelease(FourTuple connection, long packets);

    /// <summary>Every entry with its counters.</summary>
    IReadOnlyList<SwitchStatistics> List();

    /// <summary>
    /// Takes the switch out of the kernel with all entries. It is of no more use but to be disposed. To be called where it was opened: a BPF file system belongs
    /// to a mount namespace.
    /// </summary>
    void Uninstall();
}

/// <summary>How a switch is made.</summary>
internal enum SwitchMechanism
{
    /// <summary>A BPF program at the TCX hook (Linux 6.6).</summary>
    Bpf,

    /// <summary>A table of nftables, family netdev.</summary>
    Nftables,
}
