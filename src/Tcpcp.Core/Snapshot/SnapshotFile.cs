using System.Buffers.Binary;
using System.Security.Cryptography;
using Google.Protobuf;

namespace Tcpcp.Core;

/// <summary>The byte form of a saved connection.</summary>
/// <remarks>
/// <code>
/// offset   0          8       10      12      16             24           24 + n
///          | magic    | major | minor | flags | length n     | content    | SHA-256 of all before |
/// </code>
/// Numbers are big-endian. The content is tcpcp.v1.SavedConnection in protobuf, plain or encrypted (<see cref="SnapshotCipher"/>); fields that
/// this version does not know survive reading and writing. A flag that it does not know is refused, since flags say what may be done with
/// the file: 1 it was released, 2 it is encrypted. The SHA-256 tells a damaged file from a wrong key.
/// </remarks>
internal sealed class SnapshotFile
{
    public const ushort VersionMajor = 1;
    public const ushort VersionMinor = 0;

    /// <summary>Bytes before the content.</summary>
    public const int HeaderBytes = 24;

    private const int HashBytes = SHA256.HashSizeInBytes;

    // All that is not in a queue; what a newer minor version adds has room.
    private const int MaxRestBytes = 64 << 10;

    private const uint ReleasedFlag = 1;
    private const uint EncryptedFlag = 2;

    private static readonly long s_lastMicrosecond =
        (DateTimeOffset.MaxValue - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;

    private readonly Wire.SavedConnection _message;
    private readonly ushort _minor;

    public SnapshotFile(ConnectionSnapshot snapshot, SavedConnectionKind kind, DateTimeOffset capturedAt, string host)
        : this(snapshot, kind, VersionMinor, new Wire.SavedConnection
        {
            Snapshot = SnapshotWire.ToMessage(snapshot),
            CapturedAtUs = (capturedAt - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond,
            Host = host,
        })
    {
    }

    private SnapshotFile(ConnectionSnapshot snapshot, SavedConnectionKind kind, ushort minor, Wire.SavedConnection message)
    {
        Snapshot = snapshot;
        Kind = kind;
        _minor = minor;
        _message = message;
    }

    private static ReadOnlySpan<byte> Magic => [0x89, (byte)'T', (byte)'C', (byte)'P', (byte)'C', (byte)'P', (byte)'\r', (byte)'\n'];

    public ConnectionSnapshot Snapshot { get; }

    public SavedConnectionKind Kind { get; }

    /// <summary>When the connection's timestamp clock was read, by the wall clock of that host.</summary>
    public DateTimeOffset CapturedAt => DateTimeOffset.UnixEpoch + TimeSpan.FromTicks(_message.CapturedAtUs * TimeSpan.TicksPerMicrosecond);

    /// <summary>Name of the host that saved it.</summary>
    public string Host => _message.Host;

    /// <summary>The largest file that can be of a connection whose queues have so many bytes at most: to be compared before anything is
    /// read.</summary>
    public static long MaxBytes(int maxQueueBytes) => HeaderBytes + 2L * maxQueueBytes + MaxRestBytes + SnapshotCipher.OverheadBytes + HashBytes;

    /// <param name="key">Encrypts the content; null: it is plain.</param>
    public byte[] Encode(SnapshotKey? key = null)
    {
        int length = _message.CalculateSize() + (key is null ? 0 : SnapshotCipher.OverheadBytes);
        byte[] file = new byte[HeaderBytes + length + HashBytes];
        Magic.CopyTo(file);
        BinaryPrimitives.WriteUInt16BigEndian(file.AsSpan(8), VersionMajor);
        BinaryPrimitives.WriteUInt16BigEndian(file.AsSpan(10), _minor);
        BinaryPrimitives.WriteUInt32BigEndian(file.AsSpan(12), (Kind == SavedConnectionKind.Released ? ReleasedFlag : 0) | (key is null ? 0 : EncryptedFlag));
        BinaryPrimitives.WriteInt64BigEndian(file.AsSpan(16), length);
        Span<byte> content = file.AsSpan(HeaderBytes, length);
        _message.WriteTo(key is null ? content : SnapshotCipher.PlainOf(content));
        if (key is not null)
            SnapshotCipher.Encrypt(file.AsSpan(0, HeaderBytes), content, key);
        SHA256.HashData(file.AsSpan(0, HeaderBytes + length), file.AsSpan(HeaderBytes + length));
        return file;
    }

    /// <summary>Reads a file that anybody may have made; its snapshot is validated.</summary>
    /// <exception cref="InvalidSnapshotException">It is foreign, of a newer major version, cut, changed or extended, or its snapshot is not
    /// valid; the message says which.</exception>
    /// <exception cref="SnapshotKeyException">It is encrypted and there is no key, or another one; or it is not encrypted and there is one: who
    /// expects an encrypted file must not take one that anybody could have made.</exception>
    public static SnapshotFile Decode(
        ReadOnlySpan<byte> file, int maxQueueBytes = SnapshotValidator.DefaultMaxQueueBytes, SnapshotKey? key = null)
    {
        if (!file.StartsWith(Magic[..Math.Min(Magic.Length, file.Length)]))
            throw new InvalidSnapshotException("It is not a saved connection: it does not begin as one.");
        if (file.Length < HeaderBytes + HashBytes)
            throw new InvalidSnapshotException($"It is cut: it has {file.Length} bytes, less than the smallest saved connection.");
        ushort major = BinaryPrimitives.ReadUInt16BigEndian(file[8..]);
        ushort minor = BinaryPrimitives.ReadUInt16BigEndian(file[10..]);
        if (major != VersionMajor)
            throw new InvalidSnapshotException($"It has format version {major}.{minor}; this tcpcp reads {VersionMajor}.x.");
        CheckLength(file, maxQueueBytes);
        if (!SHA256.HashData(file[..^HashBytes]).AsSpan().SequenceEqual(file[^HashBytes..]))
            throw new InvalidSnapshotException("It was changed: its SHA-256 does not fit its content.");
        uint flags = BinaryPrimitives.ReadUInt32BigEndian(file[12..]);
        if ((flags & ~(ReleasedFlag | EncryptedFlag)) != 0)
            throw new InvalidSnapshotException($"It has flags that this tcpcp does not know (0x{flags:x}). Use a newer tcpcp.");
        bool isEncrypted = (flags & EncryptedFlag) != 0;
        if (!isEncrypted && key is not null)
            throw new SnapshotKeyException("It is not encrypted, but a key was given.");
        ReadOnlySpan<byte> content = file[HeaderBytes..^HashBytes];
        Wire.SavedConnection message = Parse(isEncrypted ? SnapshotCipher.Decrypt(file[..HeaderBytes], content, key) : content);
        ConnectionSnapshot snapshot = SnapshotWire.FromMessage(message.Snapshot);
        if (SnapshotValidator.FindFault(snapshot, maxQueueBytes) is { } fault)
            throw new InvalidSnapshotException($"The snapshot of {snapshot.Connection} in it is not valid: {fault}");
        SavedConnectionKind kind = (flags & ReleasedFlag) != 0 ? SavedConnectionKind.Released : SavedConnectionKind.Copy;
        return new SnapshotFile(snapshot, kind, minor, message);
    }

    private static void CheckLength(ReadOnlySpan<byte> file, int maxQueueBytes)
    {
        ulong length = BinaryPrimitives.ReadUInt64BigEndian(file[16..]);
        int found = file.Length - HeaderBytes - HashBytes;
        if (length > (ulong)MaxBytes(maxQueueBytes))
            throw new InvalidSnapshotException($"It says that its content has {length} bytes; " +
                $"with {maxQueueBytes} bytes a queue that is too many.");
        if (length > (ulong)found)
            throw new InvalidSnapshotException($"It is cut: {length - (ulong)found} bytes are missing.");
        if (length < (ulong)found)
            throw new InvalidSnapshotException($"It was extended: it has {(ulong)found - length} bytes too many.");
    }

    private static Wire.SavedConnection Parse(ReadOnlySpan<byte> content)
    {
        try
        {
            Wire.SavedConnection message = Wire.SavedConnection.Parser.ParseFrom(content);
            if (message.Snapshot is null)
                throw new InvalidSnapshotException("It has no snapshot.");
            long microseconds = message.CapturedAtUs;
            if (microseconds < 0 || microseconds >= s_lastMicrosecond)
                throw new InvalidSnapshotException($"It says that it was captured at {microseconds} us after 1970, which is no time.");
            return message;
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new InvalidSnapshotException($"Its content is not a snapshot: {e.Message}", e);
        }
    }
}
