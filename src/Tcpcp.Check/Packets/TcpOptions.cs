using System.Buffers.Binary;

namespace Tcpcp.Check.Packets;

/// <summary>The options of one segment that are judged: MSS, window scale, SACK (RFC 2018), timestamps (RFC 7323).</summary>
internal ref struct TcpOptions
{
    private ReadOnlySpan<byte> _sackBlocks;

    /// <summary>0 if absent.</summary>
    public ushort Mss { get; private set; }

    /// <summary>-1 if absent; at most 14 (RFC 7323, 2.3).</summary>
    public int WindowScale { get; private set; }

    public bool SackPermitted { get; private set; }

    public bool HasTimestamps { get; private set; }

    public uint TsVal { get; private set; }

    public uint TsEcr { get; private set; }

    public readonly int SackBlockCount => _sackBlocks.Length / 8;

    public readonly (uint Left, uint Right) SackBlock(int index) =>
        (BinaryPrimitives.ReadUInt32BigEndian(_sackBlocks[(index * 8)..]),
            BinaryPrimitives.ReadUInt32BigEndian(_sackBlocks[((index * 8) + 4)..]));

    /// <summary>Reads the option list; false if a length in it is wrong.</summary>
    public static bool TryParse(ReadOnlySpan<byte> bytes, out TcpOptions options)
    {
        options = new TcpOptions { WindowScale = -1 };
        while (!bytes.IsEmpty && bytes[0] != 0)
        {
            if (bytes[0] == 1)
            {
                bytes = bytes[1..];
                continue;
            }
            if (bytes.Length < 2 || bytes[1] < 2 || bytes[1] > bytes.Length)
                return false;
            options.Take(bytes[0], bytes[2..bytes[1]]);
            bytes = bytes[bytes[1]..];
        }
        return true;
    }

    private void Take(byte kind, ReadOnlySpan<byte> value)
    {
        switch (kind, value.Length)
        {
            case (2, 2):
                Mss = BinaryPrimitives.ReadUInt16BigEndian(value);
                break;
            case (3, 1):
                WindowScale = Math.Min((int)value[0], 14);
                break;
            case (4, 0):
                SackPermitted = true;
                break;
            case (5, _) when value.Length % 8 == 0:
                _sackBlocks = value;
                break;
            case (8, 8):
                HasTimestamps = true;
                TsVal = BinaryPrimitives.ReadUInt32BigEndian(value);
                TsEcr = BinaryPrimitives.ReadUInt32BigEndian(value[4..]);
                break;
            default:
                break;
        }
    }
}
