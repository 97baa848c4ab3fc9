using System.Buffers.Binary;
using PacketDotNet;
using Tcpcp.Check.Capture;
using Tcpcp.Check.Packets;
using Tcpcp.Check.Tests.Wire;

namespace Tcpcp.Check.Tests;

public sealed class PacketTests
{
    private static readonly byte[] s_ethernet = RuleTests.Established().Frames[4].Data;
    private static readonly byte[] s_ethernet6 = RuleTests.Established(isIPv6: true).Frames[4].Data;

    public static TheoryData<int, string> Links() => new()
    {
        { 1, "" }, { 101, "IP" }, { 12, "IP" }, { 14, "IP" }, { 228, "IP" }, { 229, "IP6" }, { 0, "02000000 IP" }, { 0, "0000001E IP6" },
        { 108, "00000018 IP6" }, { 113, "0000 0001 0006 020000000001 0000 0800 IP" }, { 113, "0004 0001 0006 020000000001 0000 86DD IP6" },
        { 276, "0800 0000 00000002 0001 00 06 020000000001 0000 IP" }, { 276, "86DD 0000 00000002 0001 00 06 020000000001 0000 IP6" },
        { 1, "0200000000FF 020000000001 8100 0064 0800 IP" }, { 1, "0200000000FF 020000000001 88A8 0001 8100 0064 86DD IP6" },
        { 113, "0000 0001 0006 020000000001 0000 8100 0005 0800 IP" },
    };

    [Theory]
    [MemberData(nameof(Links))]
    public void Segment_is_found_behind_every_link_layer(int linkType, string layout)
    {
        byte[] frame = layout.Length == 0 ? s_ethernet
            : [.. layout.Split(' ').SelectMany(part => part switch { "IP" => s_ethernet[14..], "IP6" => s_ethernet6[14..], _ =>
                Convert.FromHexString(part) })];
        Assert.Equal(ParseOutcome.Segment, Parse(frame, out Segment segment, (LinkType)linkType));
        Assert.Equal(1000, segment.PayloadLength);
        Assert.Equal(1_000_001u, segment.Sequence);
        Assert.True(segment.Payload.SequenceEqual(Conversation.Bytes(1, 1000)));
        Assert.Equal(linkType is 1 or 113 or 276 ? 0x0200_0000_0001ul : 0, segment.SourceMac);
    }

    [Fact]
    public void Ethernet_padding_is_no_payload()
    {
        byte[] frame = [.. RuleTests.Established().Frames[5].Data, 1, 2, 3, 4, 5, 6];
        Assert.Equal(ParseOutcome.Segment, Parse(frame, out Segment segment));
        Assert.Equal(0, segment.PayloadLength);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Length_of_zero_means_the_length_of_the_frame(bool isIPv6)
    {
        Conversation conversation = new(isIPv6);
        conversation.Add(conversation.Segment(true, 1, 1, 200_000) with { HasNoLength = true });
        Assert.Equal(ParseOutcome.Segment, Parse(conversation.Frames[0].Data, out Segment segment));
        Assert.Equal(200_000, segment.PayloadLength);
    }

    [Fact]
    public void IPv4_options_are_skipped()
    {
        byte[] ip = s_ethernet[14..];
        byte[] withOptions = [.. ip[..20], 1, 1, 1, 1, 1, 1, 1, 0, .. ip[20..]];
        withOptions[0] = 0x47;
        BinaryPrimitives.WriteUInt16BigEndian(withOptions.AsSpan(2), (ushort)withOptions.Length);
        Assert.Equal(ParseOutcome.Segment, Parse(FrameBuilder.EthernetFrame(withOptions), out Segment segment));
        Assert.Equal(1000, segment.PayloadLength);
    }

    [Theory]
    [InlineData("3C 00 010400000000", ParseOutcome.Segment)] // hop-by-hop, destination options
    [InlineData("2C 00 010400000000 06 00 0000 00000007", ParseOutcome.Segment)] // hop-by-hop, atomic fragment
    [InlineData("2C 00 010400000000 06 00 0001 00000007", ParseOutcome.Fragment)]
    [InlineData("2C 00 010400000000 06 00 0010 00000007", ParseOutcome.Fragment)]
    [InlineData("FE 00 010400000000", ParseOutcome.NotTcp)]
    public void IPv6_extension_headers_are_followed(string hex, object expected)
    {
        byte[] headers = Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal));
        if (headers is [0x3C, ..])
            headers = [.. headers, 0x06, 0, 1, 4, 0, 0, 0, 0];
        byte[] ip = s_ethernet6[14..];
        byte[] extended = [.. ip[..40], .. headers, .. ip[40..]];
        extended[6] = 0;
        BinaryPrimitives.WriteUInt16BigEndian(extended.AsSpan(4), (ushort)(extended.Length - 40));
        Assert.Equal((ParseOutcome)expected, Parse(FrameBuilder.EthernetFrame(extended), out Segment segment));
        Assert.Equal((ParseOutcome)expected == ParseOutcome.Segment ? 1000 : 0, segment.PayloadLength);
    }

    [Theory]
    [InlineData(0x20, 0x00)]
    [InlineData(0x00, 0x10)]
    public void IPv4_fragments_are_counted_and_not_judged(byte flags, byte offset)
    {
        Conversation conversation = RuleTests.Established();
        byte[] fragment = [.. s_ethernet];
        (fragment[20], fragment[21]) = (flags, offset);
        CaptureReport report = HealthyTests.Judge([.. conversation.Frames, new CapturedFrame(conversation.Now, fragment, fragment.Length)]);
        Assert.Equal(1, report.FragmentedSegments);
        Assert.Equal(Verdict.Incomplete, report.Verdict);
    }

    [Fact]
    public void Headers_cut_off_by_the_snapshot_length_are_unreadable()
    {
        for (int length = 0; length < 66; length++)
        {
            ParseOutcome outcome = SegmentParser.Parse(new CapturedPacket(s_ethernet.AsSpan(0, length), s_ethernet.Length, 0,
                LinkType.Ethernet), out _);
            Assert.Equal(length < 34 ? ParseOutcome.NotTcp : ParseOutcome.Unreadable, outcome);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void PacketDotNet_reads_the_same(bool isIPv6)
    {
        Random random = new(99);
        Conversation conversation = new Conversation(isIPv6).Handshake();
        for (int i = 0; i < 500; i++)
            conversation.Add(new TestSegment
            {
                FromService = random.Next(2) == 0,
                Seq = random.NextInt64(1L << 32),
                Ack = random.NextInt64(1L << 32),
                Data = Conversation.Bytes(random.Next(1000), random.Next(1460)),
                Flags = ((string[])["A", "PA", "FA", "S", "SA", "RA"])[random.Next(6)],
                Window = (ushort)random.Next(65_536),
                HasTimestamps = random.Next(2) == 0,
                Sack = random.Next(3) == 0 ? [(5, 9), (20, 30)] : [],
                Mss = random.Next(3) == 0 ? random.Next(65_536) : 0,
                WindowScale = random.Next(3) == 0 ? random.Next(15) : -1,
                Ttl = (byte)random.Next(1, 256),
                Tos = (byte)random.Next(256),
                FlowLabel = (uint)random.Next(1 << 20),
            });
        foreach (CapturedFrame frame in conversation.Frames)
            AssertSame(frame.Data);
    }

    private static void AssertSame(byte[] frame)
    {
        Assert.Equal(ParseOutcome.Segment, Parse(frame, out Segment ours));
        EthernetPacket ethernet = (EthernetPacket)Packet.ParsePacket(LinkLayers.Ethernet, frame);
        IPPacket ip = ethernet.Extract<IPPacket>();
        TcpPacket tcp = ethernet.Extract<TcpPacket>();
        Assert.Equal(ethernet.SourceHardwareAddress.ToString(),
            Addresses.MacToString(ours.SourceMac).Replace(":", "", StringComparison.Ordinal), ignoreCase: true);
        Assert.Equal(ip.SourceAddress, Addresses.ToAddress(ours.SourceAddress));
        Assert.Equal(ip.DestinationAddress, Addresses.ToAddress(ours.DestinationAddress));
        Assert.Equal(ip.TimeToLive, ours.Ttl);
        if (ip is IPv4Packet v4)
            Assert.Equal(((int)v4.Id, v4.TypeOfService), (ours.Identification, (int)ours.TrafficClass));
        else if (ip is IPv6Packet v6)
            Assert.Equal((v6.FlowLabel, v6.TrafficClass), ((int)ours.FlowLabel, (int)ours.TrafficClass));
        Assert.Equal((tcp.SourcePort, tcp.DestinationPort, tcp.SequenceNumber, tcp.AcknowledgmentNumber, tcp.WindowSize),
            (ours.SourcePort, ours.DestinationPort, ours.Sequence, ours.Acknowledgement, ours.Window));
        Assert.Equal((tcp.Synchronize, tcp.Finished, tcp.Reset, tcp.Push, tcp.Acknowledgment),
            (ours.Has(TcpFlags.Syn), ours.Has(TcpFlags.Fin), ours.Has(TcpFlags.Rst), ours.Has(TcpFlags.Psh), ours.Has(TcpFlags.Ack)));
        Assert.Equal(tcp.PayloadData, ours.Payload.ToArray());
        AssertSameOptions(tcp, ours.Options);
    }

    private static void AssertSameOptions(TcpPacket tcp, in TcpOptions ours)
    {
        List<PacketDotNet.Tcp.TcpOption> options = [.. tcp.OptionsCollection ?? []]; // null for none
        PacketDotNet.Tcp.TimeStampOption? timestamps = options.OfType<PacketDotNet.Tcp.TimeStampOption>().SingleOrDefault();
        Assert.Equal(timestamps is not null, ours.HasTimestamps);
        Assert.Equal((timestamps?.Value ?? 0, timestamps?.EchoReply ?? 0), (ours.TsVal, ours.TsEcr));
        Assert.Equal(options.OfType<PacketDotNet.Tcp.MaximumSegmentSizeOption>().SingleOrDefault()?.Value ?? 0, ours.Mss);
        Assert.Equal(options.OfType<PacketDotNet.Tcp.WindowScaleFactorOption>().SingleOrDefault()?.ScaleFactor ?? -1, ours.WindowScale);
        // PacketDotNet gives a block as four numbers of 16 bits.
        Assert.Equal((options.OfType<PacketDotNet.Tcp.SelectiveAcknowledgmentOption>().SingleOrDefault()?.Blocks.Length ?? 0) / 4,
            ours.SackBlockCount);
    }

    private static ParseOutcome Parse(byte[] frame, out Segment segment, LinkType linkType = LinkType.Ethernet) =>
        SegmentParser.Parse(new CapturedPacket(frame, frame.Length, 0, linkType), out segment);
}
