using System.Buffers.Binary;
using System.Diagnostics;
using System.Net.NetworkInformation;
using Tcpcp.Linux.Devices;

namespace Tcpcp.Linux.Tests.Devices;

/// <summary>A UDP frame of a TAP interface, behind its struct virtio_net_hdr.</summary>
internal sealed class TapFrame
{
    private const int AddressBytes = 6;
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(20);

    private readonly byte[] _bytes;

    private TapFrame(byte[] bytes) => _bytes = bytes;

    public ReadOnlySpan<byte> Bytes => _bytes;

    public PhysicalAddress Destination => new(_bytes[TapDevice.HeaderBytes..(TapDevice.HeaderBytes + AddressBytes)]);

    public PhysicalAddress Source => new(_bytes[(TapDevice.HeaderBytes + AddressBytes)..(TapDevice.HeaderBytes + (2 * AddressBytes))]);

    /// <summary>Waits for the frame that ends with a payload; passes over what the kernel sends by itself.</summary>
    public static TapFrame ReadUntil(IPacketDevice tap, ReadOnlySpan<byte> payload)
    {
        byte[] buffer = new byte[TapDevice.MaxFrameBytes];
        Stopwatch time = Stopwatch.StartNew();
        while (time.Elapsed < s_limit)
        {
            int length = tap.TryRead(buffer);
            if (length == 0)
                tap.WaitForFrame(100);
            else if (buffer.AsSpan(0, length).EndsWith(payload))
                return new TapFrame(buffer[..length]);
        }

        throw new TimeoutException($"The frame did not leave within {s_limit.TotalSeconds} s.");
    }

    /// <summary>The same datagram from the receiver to the sender: its checksum stays.</summary>
    public TapFrame TurnedRound()
    {
        byte[] turned = [.. _bytes];
        bool ipv6 = BinaryPrimitives.ReadUInt16BigEndian(turned.AsSpan(TapDevice.NetworkOffset - 2)) == 0x86DD;
        (int addresses, int length, int transport) = ipv6 ? (8, 16, 40) : (12, 4, 20);
        Swap(turned.AsSpan(TapDevice.HeaderBytes), AddressBytes);
        Swap(turned.AsSpan(TapDevice.NetworkOffset + addresses), length);
        Swap(turned.AsSpan(TapDevice.NetworkOffset + transport), 2);
        return new TapFrame(turned);
    }

    private static void Swap(Span<byte> pair, int length)
    {
        Span<byte> first = stackalloc byte[length];
        pair[..length].CopyTo(first);
        pair[length..(2 * length)].CopyTo(pair);
        first.CopyTo(pair[length..]);
    }
}
