using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Tcpcp.Lab.Tests;

/// <summary>One frame of a pcapng file.</summary>
internal readonly record struct CapturedFrame(long Timestamp, bool IsOutgoing, int OriginalLength, ReadOnlyMemory<byte> Bytes);

/// <summary>Reads what the lab writes, and fails on anything else.</summary>
internal sealed class PcapNgReader
{
    public List<CapturedFrame> Frames { get; } = [];

    public ulong? Received { get; private set; }

    public ulong? Dropped { get; private set; }

    public static PcapNgReader Read(string path)
    {
        PcapNgReader reader = new();
        ReadOnlyMemory<byte> rest = File.ReadAllBytes(path);
        for (bool first = true; rest.Length > 0; first = false)
        {
            (uint type, int length) = (U32(rest, 0), (int)U32(rest, 4));
            Assert.Equal(first, type == 0x0A0D0D0A);
            Assert.Equal(0, length % 4);
            Assert.Equal((uint)length, U32(rest, length - 4));
            reader.Take(type, rest[8..(length - 4)]);
            rest = rest[length..];
        }

        return reader;
    }

    private static uint U32(ReadOnlyMemory<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes.Span[at..]);

    private static Dictionary<ushort, ReadOnlyMemory<byte>> Options(ReadOnlyMemory<byte> rest)
    {
        Dictionary<ushort, ReadOnlyMemory<byte>> options = [];
        while (true)
        {
            (ushort code, ushort length) = (MemoryMarshal.Read<ushort>(rest.Span), MemoryMarshal.Read<ushort>(rest.Span[2..]));
            if (code == 0)
                return options;
            options.Add(code, rest.Slice(4, length));
            rest = rest[(4 + ((length + 3) & ~3))..];
        }
    }

    private void Take(uint type, ReadOnlyMemory<byte> body)
    {
        switch (type)
        {
            case 0x0A0D0D0A:
                Assert.Equal(0x1A2B3C4Du, U32(body, 0));
                break;
            case 1:
                Assert.Equal((1u, 0u), (U32(body, 0), U32(body, 4)));
                Assert.Equal("eth0"u8.ToArray(), Options(body[8..])[2].ToArray());
                Assert.Equal([9], Options(body[8..])[9].ToArray());
                break;
            case 5:
                Received = MemoryMarshal.Read<ulong>(Options(body[12..])[4].Span);
                Dropped = MemoryMarshal.Read<ulong>(Options(body[12..])[5].Span);
                break;
            case 6:
                int length = (int)U32(body, 12);
                uint flags = MemoryMarshal.Read<uint>(Options(body[(20 + ((length + 3) & ~3))..])[2].Span);
                Frames.Add(new CapturedFrame(
                    (long)(((ulong)U32(body, 4) << 32) | U32(body, 8)), flags == 2, (int)U32(body, 16), body.Slice(20, length)));
                break;
            default:
                Assert.Fail($"block type {type}");
                break;
        }
    }
}
