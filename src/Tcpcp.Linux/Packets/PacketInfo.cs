using System.Runtime.InteropServices;

namespace Tcpcp.Linux.Packets;

/// <summary>What is known about a received frame besides its bytes.</summary>
/// <param name="OriginalLength">Its length in bytes; more than was received if it was larger than the buffer.</param>
/// <param name="Timestamp">Nanoseconds since 1970, UTC, when the kernel handled it.</param>
/// <param name="IsOutgoing">Sent by this host; else it came in.</param>
internal readonly record struct PacketInfo(int OriginalLength, long Timestamp, bool IsOutgoing);

/// <summary><c>struct sockaddr_ll</c> (linux/if_packet.h).</summary>
[KernelHeader("linux/if_packet.h", Structure = "struct sockaddr_ll",
    Fields = "sll_family sll_protocol sll_ifindex sll_hatype sll_pkttype sll_halen sll_addr")]
[StructLayout(LayoutKind.Sequential, Pack = 4)]
internal struct PacketAddress
{
    public ushort Family;
    public ushort Protocol;
    public int Index;
    public ushort HardwareType;
    public byte PacketType;
    public byte AddressLength;
    public ulong Address;
}
