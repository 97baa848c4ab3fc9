using System.Buffers.Binary;
using System.Diagnostics;
using System.Net;
using System.Net.NetworkInformation;
using Tcpcp.Core;
using Tcpcp.Linux.Devices;
using Tcpcp.Linux.Namespaces;
using Tcpcp.Linux.Netlink;
using Tcpcp.Linux.Switching;

namespace Tcpcp.Bench;

/// <summary>A host whose packets arrive at a TAP interface with a switch, and leave by a veth interface.</summary>
internal sealed class SwitchedPath : IDisposable
{
    private const string ArrivalName = "in0";

    private static readonly PhysicalAddress s_source = PhysicalAddress.Parse("02-00-00-00-00-09");

    private readonly NamespaceThread _host = NamespaceThread.Start("switched path");
    private readonly RouteNetlink _network;
    private readonly TapDevice _arrival;
    private readonly byte[] _hardwareAddress;
    private readonly int _departure;

    /// <param name="choice">Null: without a switch.</param>
    public SwitchedPath(SwitchChoice? choice)
    {
        _network = _host.Run(RouteNetlink.Open);
        _arrival = _host.Run(() => TapDevice.Create(ArrivalName));
        _host.Run(() => _network.Links.CreateVeth(new VethEnd("out0"), new VethEnd("out1")));
        foreach (string name in (string[])[ArrivalName, "out0", "out1"])
            _network.Links.SetUp(name);
        _departure = _network.Links.Get("out0").Index;
        _hardwareAddress = _network.Links.Get(ArrivalName).HardwareAddress.GetAddressBytes();
        foreach (bool ipv6 in (bool[])[false, true])
            _network.Neighbours.Set(_departure, NextHop(ipv6), PhysicalAddress.Parse("02-00-00-00-00-07"));
        if (choice is { } mechanism)
            Switch = _host.Run(() => PacketSwitch.Open(SwitchPlace.Forward, [ArrivalName], out _, mechanism));
    }

    public IPacketSwitch? Switch { get; }

    /// <summary>To the neighbour in even rounds, on in odd ones.</summary>
    public PacketTarget TargetOf(FourTuple connection, int round) =>
        round % 2 == 0 ? PacketTarget.Redirect(_departure, NextHop(connection.IsIPv6)) : PacketTarget.Pass;

    /// <returns>Microseconds for each.</returns>
    public double Send(byte[] frame, int count)
    {
        _hardwareAddress.CopyTo(frame, TapDevice.HeaderBytes);
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < count; i++)
            _arrival.Write(frame);
        return Stopwatch.GetElapsedTime(start).TotalMicroseconds / count;
    }

    /// <exception cref="InvalidOperationException">Not as many packets were redirected, or they did not leave.</exception>
    public void CheckRedirected(long packets)
    {
        long switched = Switch!.List().Where(one => one.Entry.Target.Verdict == PacketVerdict.Redirect).Sum(one => one.Packets);
        long left = long.Parse(_host.Run(() => File.ReadAllText("/sys/class/net/out0/statistics/tx_packets")), System.Globalization.CultureInfo.InvariantCulture);
        if (switched != packets || left < packets)
            throw new InvalidOperationException($"{Switch.Mechanism}: of {packets} packets {switched} were redirected, and {left} left.");
    }

    /// <summary>A segment without data.</summary>
    public static byte[] Frame(FourTuple connection)
    {
        byte[] frame = new byte[TapDevice.NetworkOffset + (connection.IsIPv6 ? 60 : 40)];
        s_source.GetAddressBytes().CopyTo(frame, TapDevice.HeaderBytes + 6);
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(TapDevice.NetworkOffset - 2), (ushort)(connection.IsIPv6 ? 0x86DD : 0x0800));
        Span<byte> packet = frame.AsSpan(TapDevice.NetworkOffset);
        (int addresses, int transport) = connection.IsIPv6 ? (8, 40) : (12, 20);
        if (connection.IsIPv6)
            (packet[0], packet[5], packet[6], packet[7]) = (0x60, 20, 6, 64);
        else
            (packet[0], packet[3], packet[8], packet[9]) = (0x45, 40, 64, 6);
        connection.Peer.Address.TryWriteBytes(packet[addresses..], out int length);
        connection.Local.Address.TryWriteBytes(packet[(addresses + length)..], out _);
        BinaryPrimitives.WriteUInt16BigEndian(packet[transport..], (ushort)connection.Peer.Port);
        BinaryPrimitives.WriteUInt16BigEndian(packet[(transport + 2)..], (ushort)connection.Local.Port);
        (packet[transport + 12], packet[transport + 13]) = (0x50, 0x10);
        return frame;
    }

    public void Dispose()
    {
        Switch?.Dispose();
        _arrival.Dispose();
        _network.Links.Delete("out0");
        _network.Dispose();
        _host.Dispose();
    }

    private static IPAddress NextHop(bool ipv6) => IPAddress.Parse(ipv6 ? "2001:db8:7::7" : "198.51.100.7");
}
