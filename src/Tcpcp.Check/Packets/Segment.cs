namespace Tcpcp.Check.Packets;

/// <summary>A TCP segment with what is judged of the headers below it. Views into the reader's buffer, valid for one packet.</summary>
internal ref struct Segment
{
    /// <summary>Source MAC address in the lower 48 bits; 0 where the link has none.</summary>
    public ulong SourceMac;

    /// <summary>IPv4 addresses are v4-mapped here, so that one type does for both.</summary>
    public UInt128 SourceAddress;
    public UInt128 DestinationAddress;
    public ushort SourcePort;
    public ushort DestinationPort;
    public bool IsIPv6;

    /// <summary>TTL or hop limit.</summary>
    public byte Ttl;

    /// <summary>TOS or traffic class: DSCP in the upper six bits, ECN in the lower two (RFC 2474, RFC 3168).</summary>
    public byte TrafficClass;

    /// <summary>IPv6 flow label (RFC 6437); 0 on IPv4.</summary>
    public uint FlowLabel;

    /// <summary>IPv4 identification (RFC 6864); 0 on IPv6.</summary>
    public ushort Identification;

    public uint Sequence;
    public uint Acknowledgement;
    public TcpFlags Flags;

    /// <summary>As it stands in the header, unscaled.</summary>
    public ushort Window;
    public TcpOptions Options;

    /// <summary>The captured part of the payload.</summary>
    public ReadOnlySpan<byte> Payload;

    /// <summary>Bytes of payload on the wire; more than <see cref="Payload"/> has if the snapshot length cut it.</summary>
    public int PayloadLength;

    public readonly bool Has(TcpFlags flag) => (Flags & flag) != TcpFlags.None;

    /// <summary>The DSCP part of the traffic class.</summary>
    public readonly int Dscp => TrafficClass >> 2;
}
