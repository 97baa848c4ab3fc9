using Tcpcp.Check.Capture;
using Tcpcp.Check.Tests.Wire;

namespace Tcpcp.Check.Tests;

public sealed class ReaderTests
{
    private static readonly CapturedFrame s_frame = RuleTests.Established().Frames[4];
    private static readonly long s_nanoseconds = (s_frame.Time - DateTimeOffset.UnixEpoch).Ticks * 100;

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void Pcap_is_read_in_both_byte_orders_and_both_units(bool isBigEndian, bool isNanoseconds)
    {
        byte[] file = PcapFile.Write([s_frame, s_frame with { Data = s_frame.Data[..60] }], isBigEndian, isNanoseconds);
        List<Read> packets = ReadAll(file);
        Assert.Equal([new Read(s_nanoseconds, s_frame.Data.Length, s_frame.Data.Length), new Read(s_nanoseconds, 60, s_frame.Data.Length)],
            packets);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Pcapng_is_read_in_both_byte_orders_with_several_interfaces_and_units(bool isBigEndian)
    {
        ulong unit = (ulong)s_nanoseconds;
        byte[] file = new PcapngFile(isBigEndian).Section().Interface().Interface(resolution: 9).Unknown().Interface(resolution: 0x80 | 10)
            .Interface(resolution: 3, offsetSeconds: 1000)
            .Enhanced(s_frame, unit / 1000).Enhanced(s_frame, unit, from: 1).Enhanced(s_frame,
                (ulong)((UInt128)unit * 1024 / 1_000_000_000), from: 2)
            .Enhanced(s_frame, (unit / 1_000_000) - 1_000_000, from: 3).Obsolete(s_frame, unit / 1000, 0).Simple(s_frame).ToArray();
        List<Read> packets = ReadAll(file);
        Assert.Equal(6, packets.Count);
        Assert.All(packets, packet => Assert.InRange(packet.Time, s_nanoseconds - 1_000_000, s_nanoseconds));
        Assert.All(packets, packet => Assert.Equal(s_frame.Data.Length, packet.Length));
    }

    [Fact]
    public void Pcapng_sections_of_different_byte_orders_follow_each_other()
    {
        byte[] file =
        [
            .. new PcapngFile().Section().Interface().Enhanced(s_frame, 1000).ToArray(),
            .. new PcapngFile(isBigEndian: true).Section().Interface(resolution: 9).Enhanced(s_frame, 2000).ToArray(),
        ];
        Assert.Equal([1_000_000L, 2000L], ReadAll(file).Select(packet => packet.Time));
    }

    [Fact]
    public void Drop_counts_of_pcapng_make_the_capture_incomplete()
    {
        CapturedFrame[] frames = [.. RuleTests.Established().Frames];
        Assert.Equal(0, Dropped(file => file));
        Assert.Equal(7, Dropped(file => file.Statistics(3, 4)));
        Assert.Equal(5, Dropped(file => file.Enhanced(s_frame, 0, dropped: 5)));
        Assert.Equal(6, Dropped(file => file.Obsolete(s_frame, 0, 6)));
        Assert.Equal(0, Dropped(file => file.Obsolete(s_frame, 0, ushort.MaxValue)));

        PcapngFile complete = new PcapngFile().Section().Interface();
        foreach (CapturedFrame frame in frames)
            complete.Enhanced(frame, 1000);
        using MemoryStream stream = new(complete.Statistics(0, 1).ToArray());
        CaptureReport report = CaptureJudge.Judge(stream, new JudgeOptions { Peer = new Conversation().Peer });
        Assert.Equal(Verdict.Incomplete, report.Verdict);
    }

    [Fact]
    public void Simple_packets_are_cut_at_the_snapshot_length()
    {
        CapturedFrame cut = s_frame with { Data = s_frame.Data[..64] };
        Assert.Equal(64, Assert.Single(ReadAll(new PcapngFile().Section().Interface(snapshotLength: 64).Simple(cut).ToArray())).Length);
    }

    [Theory]
    [InlineData("", "empty")]
    [InlineData("0A", "shorter")]
    [InlineData("1F8B0800000000", "gzip")]
    [InlineData("28B52FFD00000000", "zstd")]
    [InlineData("7F454C46", "0x7F454C46")]
    [InlineData("A1B2CD340000", "Kuznetzov")]
    [InlineData("D4C3B2A10300040000000000000000000000040001000000", "version 3")]
    [InlineData("D4C3B2A10200040000000000000000000000040093000000", "link type 147")]
    public void Foreign_files_are_named(string hex, string expected)
    {
        CaptureFormatException e = Assert.Throws<CaptureFormatException>(() => ReadAll(Convert.FromHexString(hex)));
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Damage_is_reported_with_its_offset()
    {
        byte[] file = PcapFile.Write([s_frame, s_frame]);
        int second = 24 + 16 + s_frame.Data.Length;
        file.AsSpan(second + 8, 4).Fill(0xFF);
        Assert.Equal(second, Assert.Throws<CaptureFormatException>(() => ReadAll(file)).Offset);
    }

    [Fact]
    public void Stream_that_gives_few_bytes_at_a_time_is_read_the_same()
    {
        using TricklingStream stream = new(PcapFile.Write(RuleTests.Established().Frames));
        CaptureReport report = CaptureJudge.Judge(stream, new JudgeOptions { Peer = new Conversation().Peer });
        Assert.Equal(6, report.Packets);
        Assert.Equal(Verdict.Clean, report.Verdict);
    }

    internal static List<Read> ReadAll(byte[] file)
    {
        using MemoryStream stream = new(file);
        CaptureReader reader = CaptureReader.Open(stream);
        List<Read> packets = [];
        while (reader.TryRead(out CapturedPacket packet))
            packets.Add(new Read(packet.TimeNanoseconds, packet.Data.Length, packet.OriginalLength));
        return packets;
    }

    private static long Dropped(Func<PcapngFile, PcapngFile> add)
    {
        using MemoryStream stream = new(add(new PcapngFile().Section().Interface().Enhanced(s_frame, 0)).ToArray());
        CaptureReader reader = CaptureReader.Open(stream);
        while (reader.TryRead(out _))
        {
        }
        return reader.DroppedPackets;
    }

    internal readonly record struct Read(long Time, int Length, int OriginalLength);

    private sealed class TricklingStream(byte[] bytes) : MemoryStream(bytes)
    {
        public override int Read(byte[] buffer, int offset, int count) => base.Read(buffer, offset, Math.Min(count, 3));
    }
}
