namespace Tcpcp.Linux.Netlink;

/// <summary>One message of the kernel that is not an acknowledgement; the payload begins with the family header.</summary>
internal readonly record struct NetlinkReply(ushort Type, byte[] Payload);
