using System.Buffers.Binary;
using System.Globalization;
using System.Net.Sockets;
using Tcpcp.Lab.Capture;
using Tcpcp.Linux.Processes;

namespace Tcpcp.Lab.Tests;

public sealed class CaptureTests : IDisposable
{
    private const int TransferBytes = 50_000_000;

    private readonly string _path = Path.Combine(Path.GetTempPath(), $"tcpcp-lab-{Guid.NewGuid():N}.pcapng");

    public void Dispose() => File.Delete(_path);

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task A_capture_has_every_byte_of_a_transfer(int version)
    {
        byte[] sent = Pattern();
        PacketCapture capture = await CaptureTransfer(sent, version);
        PcapNgReader file = PcapNgReader.Read(_path);
        Assert.Equal((0L, 0UL), (capture.Drops, file.Dropped));
        Assert.Equal((ulong)file.Frames.Count, file.Received);
        Assert.Equal(capture.Frames, file.Frames.Count);
        Assert.All(file.Frames, frame => Assert.Equal(frame.Bytes.Length, frame.OriginalLength));
        Assert.True(sent.AsSpan().SequenceEqual(Reassemble(file.Frames, sent.Length)));
    }

    [Fact]
    public async Task A_capture_knows_the_direction_of_every_frame()
    {
        await CaptureTransfer(new byte[1000], version: 4);
        List<TcpFrame> frames = [.. PcapNgReader.Read(_path).Frames.Select(TcpFrame.Of).OfType<TcpFrame>()];
        Assert.All(frames, frame => Assert.Equal(frame.SourcePort == 7000, frame.Frame.IsOutgoing));
        Assert.Contains(frames, frame => frame.Frame.IsOutgoing);
        Assert.Contains(frames, frame => !frame.Frame.IsOutgoing);
    }

    // Not that times never step back: the kernel takes the time before the frame gets its place in the queue, on whichever CPU it is.
    [Fact]
    public async Task The_times_of_a_capture_are_of_its_run()
    {
        long before = Nanoseconds(DateTime.UtcNow);
        await CaptureTransfer(new byte[1_000_000], version: 4);
        long after = Nanoseconds(DateTime.UtcNow);
        Assert.All(PcapNgReader.Read(_path).Frames, frame => Assert.InRange(frame.Timestamp, before, after));
    }

    [Fact]
    public async Task A_file_that_cannot_be_made_is_told_at_the_start()
    {
        await using LabNetwork lab = await LabNetwork.CreateAsync();
        Assert.Throws<DirectoryNotFoundException>(() => lab.AddHost("a").StartCapture("/no/such/directory/x.pcapng"));
    }

    [Fact]
    public async Task Tcpdump_reads_a_capture()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/tcpdump"), "needs tcpdump (apt-get install tcpdump)");
        PacketCapture capture = await CaptureTransfer(new byte[TransferBytes], version: 4);
        await using ChildProcess tcpdump = ChildProcess.Start("/usr/bin/tcpdump", ["-Z", "root", "-nn", "--number", "-r", _path]);
        string[] lines = (await tcpdump.Output!.Completed).TrimEnd().Split('\n');
        Assert.Equal(0, await tcpdump.Exit);
        Assert.Equal(capture.Frames, long.Parse(lines[^1].Trim().Split(' ')[0], CultureInfo.InvariantCulture));
        Assert.DoesNotContain(lines, line => line.Contains("truncated", StringComparison.Ordinal) || line.Contains("[|", StringComparison.Ordinal));
    }

    // Frames are captured before the receiver's TCP sees them: when it has read everything, everything is queued for the capture.
    private async Task<PacketCapture> CaptureTransfer(byte[] bytes, int version)
    {
        await using LabNetwork lab = await LabNetwork.CreateAsync();
        Host a = lab.AddHost("a", "10.0.0.1/24", "fd00::1/64");
        Host b = lab.AddHost("b", "10.0.0.2/24", "fd00::2/64");
        await using PacketCapture capture = b.StartCapture(_path);
        using Socket listener = TcpPair.Listen(b, version == 4 ? b.IPv4 : b.IPv6, 7000);
        using Socket client = TcpPair.ConnectTo(a, (System.Net.IPEndPoint)listener.LocalEndPoint!);
        using Socket server = listener.Accept();
        Task sending = Task.Run(() =>
        {
            client.Send(bytes);
            client.Shutdown(SocketShutdown.Send);
        });
        byte[] buffer = new byte[256 * 1024];
        while (await server.ReceiveAsync(buffer) > 0)
        {
        }

        await sending;
        await capture.StopAsync();
        return capture;
    }

    private static byte[] Pattern()
    {
        byte[] bytes = new byte[TransferBytes];
        new Random(1).NextBytes(bytes);
        return bytes;
    }

    private static byte[] Reassemble(List<CapturedFrame> frames, int length)
    {
        byte[] stream = new byte[length];
        long covered = 0; // bytes from the start without a gap
        uint first = 0;
        foreach (TcpFrame frame in frames.Select(TcpFrame.Of).OfType<TcpFrame>().Where(frame => frame.DestinationPort == 7000))
        {
            if (frame.IsSyn)
                first = frame.Sequence + 1;
            uint offset = frame.Sequence - first;
            if (frame.Payload.Length == 0)
                continue;
            Assert.InRange(offset, 0, covered); // the path does not reorder
            frame.Payload.CopyTo(stream.AsMemory((int)offset));
            covered = Math.Max(covered, offset + frame.Payload.Length);
        }

        Assert.Equal(length, covered);
        return stream;
    }

    private static long Nanoseconds(DateTime time) => (time - DateTime.UnixEpoch).Ticks * TimeSpan.NanosecondsPerTick;

    private sealed record TcpFrame(CapturedFrame Frame, ushort SourcePort, ushort DestinationPort, uint Sequence, bool IsSyn, ReadOnlyMemory<byte> Payload)
    {
        public static TcpFrame? Of(CapturedFrame frame)
        {
            ReadOnlySpan<byte> bytes = frame.Bytes.Span;
            (int tcp, int end, int protocol) = BinaryPrimitives.ReadUInt16BigEndian(bytes[12..]) switch
            {
                0x0800 => (14 + ((bytes[14] & 15) * 4), 14 + BinaryPrimitives.ReadUInt16BigEndian(bytes[16..]), bytes[23]),
                0x86DD => (54, 54 + BinaryPrimitives.ReadUInt16BigEndian(bytes[18..]), bytes[20]),
                _ => (0, 0, 0),
            };
            if (protocol != 6)
                return null;
            int payload = tcp + ((bytes[tcp + 12] >> 4) * 4);
            return new TcpFrame(
                frame, BinaryPrimitives.ReadUInt16BigEndian(bytes[tcp..]), BinaryPrimitives.ReadUInt16BigEndian(bytes[(tcp + 2)..]),
                BinaryPrimitives.ReadUInt32BigEndian(bytes[(tcp + 4)..]), (bytes[tcp + 13] & 2) != 0, frame.Bytes[payload..end]);
        }
    }
}
