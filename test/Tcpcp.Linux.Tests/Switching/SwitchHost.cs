using System.Net;
using System.Net.NetworkInformation;
using System.Text.Json;
using Tcpcp.Core;
using Tcpcp.Linux.Devices;
using Tcpcp.Linux.Netlink;
using Tcpcp.Linux.Switching;

namespace Tcpcp.Linux.Tests.Switching;

/// <summary>A host with two TAP interfaces: what is written to one arrives there, and what leaves by the other is read. It counts the packets that reach its IP.</summary>
internal sealed class SwitchHost : IDisposable
{
    public const string ArrivalName = "in0";

    private static readonly PhysicalAddress s_neighbour = PhysicalAddress.Parse("02-00-00-00-00-07");

    private TapDevice _arrival;

    public SwitchHost()
    {
        _arrival = Tap(ArrivalName);
        Departure = Tap("out0");
        Arrival = Host.Network.Links.Get(ArrivalName);
        DepartureLink = Host.Network.Links.Get("out0");
        foreach (string name in (string[])[ArrivalName, "out0"])
            Host.Network.Links.SetUp(name);
        foreach (bool ipv6 in (bool[])[false, true])
            Host.Network.Neighbours.Set(DepartureLink.Index, NextHop(ipv6), s_neighbour);
        Host.Nft("""
            add table inet arrived
            add counter inet arrived hits
            add chain inet arrived prerouting { type filter hook prerouting priority -450; }
            add rule inet arrived prerouting iifname "in0" meta l4proto { tcp, udp } counter name hits
            """);
    }

    /// <summary>Each mechanism for each family.</summary>
    public static TheoryData<string, bool> Cases { get; } = new()
    {
        { nameof(SwitchMechanism.Bpf), false }, { nameof(SwitchMechanism.Bpf), true },
        { nameof(SwitchMechanism.Nftables), false }, { nameof(SwitchMechanism.Nftables), true },
    };

    public static TheoryData<string> Mechanisms { get; } = new() { nameof(SwitchMechanism.Bpf), nameof(SwitchMechanism.Nftables) };

    public LoopbackHost Host { get; } = new();

    public LinkInfo Arrival { get; private set; }

    public TapDevice Departure { get; }

    public LinkInfo DepartureLink { get; }

    /// <summary>A neighbour behind the departing interface, and its link-layer address.</summary>
    public static IPAddress NextHop(bool ipv6) => IPAddress.Parse(ipv6 ? "2001:db8:7::7" : "198.51.100.7");

    public static PhysicalAddress Neighbour => s_neighbour;

    public static FourTuple Connection(bool ipv6, int port = 51514) => FourTuple.Parse(ipv6
        ? $"[2001:db8::1]:80-[2001:db8::9]:{port}" : $"192.0.2.1:80-192.0.2.9:{port}");

    /// <summary>Skips the test where the kernel is too old.</summary>
    public static SwitchChoice Choose(string mechanism)
    {
        SwitchChoice choice = Enum.Parse<SwitchChoice>(mechanism);
        Assert.SkipWhen(choice == SwitchChoice.Bpf && Environment.OSVersion.Version < new Version(6, 6), "TCX came with Linux 6.6.");
        return choice;
    }

    public IPacketSwitch Open(string mechanism, SwitchPlace? place = null, int capacity = 4096)
    {
        SwitchChoice choice = Choose(mechanism);
        IPacketSwitch opened = Host.Run(() => PacketSwitch.Open(place ?? SwitchPlace.Forward, [ArrivalName], out _, choice, capacity));
        Assert.Equal(mechanism, opened.Mechanism.ToString());
        return opened;
    }

    /// <summary>Lets a frame arrive: it has gone through the stack when this returns.</summary>
    public void Arrive(TestFrame frame) => _arrival.Write((frame with { Destination = Arrival.HardwareAddress }).ToArray());

    /// <summary>How many packets have reached IP.</summary>
    public long Arrived()
    {
        using JsonDocument listing = JsonDocument.Parse(Host.Nft("list counter inet arrived hits", json: true));
        return listing.RootElement.GetProperty("nftables").EnumerateArray().Where(entry => entry.TryGetProperty("counter", out _))
            .Select(entry => entry.GetProperty("counter").GetProperty("packets").GetInt64()).Single();
    }

    /// <summary>The frames that have left, without what the kernel sends by itself: TCP only.</summary>
    public IReadOnlyList<byte[]> Departed()
    {
        List<byte[]> frames = [];
        byte[] buffer = new byte[TapDevice.MaxFrameBytes];
        while (Departure.TryRead(buffer) is > 0 and int length)
        {
            ReadOnlySpan<byte> packet = buffer.AsSpan(TapDevice.NetworkOffset, length - TapDevice.NetworkOffset);
            if (packet[0] >> 4 == 4 ? packet[9] == 6 : packet[6] == 6)
                frames.Add(buffer[..length]);
        }

        return frames;
    }

    /// <summary>Takes the arriving interface away, and makes another of that name.</summary>
    public void ReplaceArrival()
    {
        _arrival.Dispose();
        _arrival = Tap(ArrivalName);
        Arrival = Host.Network.Links.Get(ArrivalName);
        Host.Network.Links.SetUp(ArrivalName);
    }

    /// <summary>What is pinned in the host's BPF file system, without the kernel's own.</summary>
    public string[] Pins() => Host.Run(() => Directory.GetFileSystemEntries("/sys/fs/bpf").Where(name => !name.EndsWith(".debug", StringComparison.Ordinal)).ToArray());

    public void Uninstall(IPacketSwitch opened) => Host.Run(() =>
    {
        opened.Uninstall();
        return true;
    });

    public void Dispose()
    {
        _arrival.Dispose();
        Departure.Dispose();
        Host.Dispose();
    }

    private TapDevice Tap(string name) => Host.Run(() => TapDevice.Create(name));
}
