using Tcpcp.Check.Capture;
using Tcpcp.Check.Tests.Wire;

namespace Tcpcp.Check.Tests;

/// <summary>Whatever the bytes are: a report or a <see cref="CaptureFormatException"/>, and nothing else.</summary>
public sealed class DamageTests
{
    private static readonly Lazy<byte[][]> s_files = new(() =>
    [
        PcapFile.Write(Frames(isIPv6: false)),
        PcapFile.Write(Frames(isIPv6: true), isBigEndian: true, isNanoseconds: true),
        Pcapng(isBigEndian: false),
        Pcapng(isBigEndian: true),
    ]);

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Capture_cut_off_anywhere_is_refused_or_judged(int index)
    {
        byte[] file = s_files.Value[index];
        int judged = 0;
        for (int length = 0; length <= file.Length; length++)
            judged += IsJudged(file[..length]) ? 1 : 0;
        Assert.InRange(judged, 2, 40); // only at the ends of records
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Flipped_bytes_never_crash_the_judge(int index)
    {
        Random random = new(20_041 + index);
        byte[] original = s_files.Value[index];
        int judged = 0;
        for (int round = 0; round < 4000; round++)
        {
            byte[] file = [.. original];
            int flips = 1 + random.Next(8);
            for (int i = 0; i < flips; i++)
                file[random.Next(round % 2 == 0 ? 200 : file.Length)] = (byte)random.Next(256);
            judged += IsJudged(file) ? 1 : 0;
        }
        Assert.InRange(judged, 100, 4000);
    }

    [Fact]
    public void Random_segments_never_crash_the_judge()
    {
        Random random = new(4711);
        for (int round = 0; round < 300; round++)
        {
            Conversation conversation = new(round % 2 == 0, (uint)random.NextInt64(1L << 32), (uint)random.NextInt64(1L << 32));
            for (int i = 0; i < 60; i++)
                conversation.Add(new TestSegment
                {
                    FromService = random.Next(2) == 0,
                    Seq = random.Next(4) == 0 ? random.NextInt64(1L << 32) : random.Next(3000),
                    Ack = random.Next(4) == 0 ? random.NextInt64(1L << 32) : random.Next(3000),
                    Data = new byte[random.Next(1500)],
                    Flags = ((string[])["A", "A", "A", "FA", "S", "SA", "R", ""])[random.Next(8)],
                    Window = (ushort)random.Next(65_536),
                    TsVal = random.Next(3) == 0 ? (uint)random.NextInt64(1L << 32) : null,
                    Sack = random.Next(3) == 0 ? [(random.Next(3000), random.Next(3000))] : [],
                    Mac = (byte)random.Next(3),
                });
            Assert.NotNull(conversation.Judge(options => options.RetainedBytesPerConnection = 1 << random.Next(12, 22)).ToJson());
        }
    }

    private static bool IsJudged(byte[] file)
    {
        try
        {
            using MemoryStream stream = new(file);
            CaptureJudge.Judge(stream, new JudgeOptions { Peer = new Conversation().Peer }).ToJson();
            return true;
        }
        catch (CaptureFormatException)
        {
            return false;
        }
    }

    private static byte[] Pcapng(bool isBigEndian)
    {
        PcapngFile file = new PcapngFile(isBigEndian).Section().Interface(resolution: 9, offsetSeconds: 3).Interface();
        foreach (CapturedFrame frame in Frames(isIPv6: false))
            file.Enhanced(frame, 1_764_000_000_000_000_000, dropped: 0).Obsolete(frame, 1, 0).Simple(frame);
        return file.Statistics(0, 0).ToArray();
    }

    private static IReadOnlyList<CapturedFrame> Frames(bool isIPv6)
    {
        Conversation conversation = RuleTests.Established(isIPv6);
        conversation.Add(conversation.Segment(true, 501, 1001, 100) with { Sack = [(100, 200)] });
        return conversation.Frames;
    }
}
