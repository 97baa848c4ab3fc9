using System.Buffers.Binary;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Tcpcp.Linux.Packets;

/// <summary>
/// Tells the neighbours that an address is at this host now. IPv4: gratuitous ARP (RFC 5227, 3), as request and as reply, since some take only the one
/// or the other. IPv6: an unsolicited neighbour advertisement. The Ethernet source is the interface's own address: with another one, bridges would
/// learn it on the wrong port.
/// </summary>
[KernelHeader("sys/socket.h", "linux/if_ether.h", "linux/if_arp.h")]
internal sealed unsafe partial class AddressAnnouncement : IDisposable
{
    private const int AF_PACKET = 17; // linux/if_packet.h
    private const int SOCK_RAW = 3;
    private const int SOCK_CLOEXEC = 0x80000;
    private const ushort ETH_P_ARP = 0x0806; // linux/if_ether.h
    private const ushort ETH_P_IPV6 = 0x86DD;
    private const byte ARPOP_REQUEST = 1; // linux/if_arp.h
    private const byte ARPOP_REPLY = 2;
    private const int ArpFrameBytes = 42;

    private readonly SafeFileHandle _socket;
    private readonly int _linkIndex;
    private readonly byte[] _hardwareAddress;

    private AddressAnnouncement(SafeFileHandle socket, int linkIndex, byte[] hardwareAddress)
    {
        _socket = socket;
        _linkIndex = linkIndex;
        _hardwareAddress = hardwareAddress;
    }

    /// <summary>Opens a socket for an interface of the calling thread's network namespace.</summary>
    public static AddressAnnouncement Open(int linkIndex, PhysicalAddress hardwareAddress)
    {
        // Protocol 0: this socket only sends.
        int descriptor = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
        if (descriptor < 0)
            throw KernelException.Last("socket(AF_PACKET)");
        return new AddressAnnouncement(new SafeFileHandle(descriptor, ownsHandle: true), linkIndex, hardwareAddress.GetAddressBytes());
    }

    /// <summary>Announces an address, which this host must have: it has to answer the neighbours' questions.</summary>
    public void Announce(IPAddress address)
    {
        if (address.AddressFamily == AddressFamily.InterNetworkV6)
        {
            Span<byte> advertisement = stackalloc byte[NeighbourAdvertisement.FrameBytes];
            NeighbourAdvertisement.Write(advertisement, _hardwareAddress, address);
            Send(advertisement, ETH_P_IPV6, "neighbour advertisement");
            return;
        }

        Span<byte> frame = stackalloc byte[ArpFrameBytes];
        foreach (byte operation in (ReadOnlySpan<byte>)[ARPOP_REQUEST, ARPOP_REPLY])
        {
            Write(frame, operation, address);
            Send(frame, ETH_P_ARP, "gratuitous ARP");
        }
    }

    public void Dispose() => _socket.Dispose();

    // RFC 826: hardware type, protocol type, lengths, operation, sender's two addresses, target's two addresses.
    private void Write(Span<byte> frame, byte operation, IPAddress address)
    {
        frame.Clear();
        frame[..6].Fill(0xff);
        _hardwareAddress.CopyTo(frame[6..]);
        ReadOnlySpan<byte> constant = [0x08, 0x06, 0x00, 0x01, 0x08, 0x00, 6, 4, 0];
        constant.CopyTo(frame[12..]);
        frame[21] = operation;
        _hardwareAddress.CopyTo(frame[22..]);
        address.TryWriteBytes(frame[28..], out _);
        if (operation == ARPOP_REPLY)
            _hardwareAddress.CopyTo(frame[32..]);
        address.TryWriteBytes(frame[38..], out _);
    }

    private void Send(ReadOnlySpan<byte> frame, ushort protocol, string what)
    {
        // struct sockaddr_ll
        byte* address = stackalloc byte[20];
        Span<byte> link = new(address, 20);
        link.Clear();
        MemoryMarshal.Write(link, (ushort)AF_PACKET);
        BinaryPrimitives.WriteUInt16BigEndian(link[2..], protocol);
        MemoryMarshal.Write(link[4..], _linkIndex);
        link[11] = 6;
        frame[..6].CopyTo(link[12..]);
        fixed (byte* pointer = frame)
        {
            if (sendto(_socket, pointer, (nuint)frame.Length, 0, address, 20) < 0)
                throw KernelException.Last("sendto(AF_PACKET)", what);
        }
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int socket(int domain, int type, int protocol);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint sendto(SafeHandle socket, byte* buffer, nuint length, int flags, byte* address, uint addressLength);
}
