using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using Google.Protobuf;
using Microsoft.Win32.SafeHandles;
using Tcpcp.Core;
using Tcpcp.Core.Wire;
using Tcpcp.Linux;
using Tcpcp.Linux.Files;

namespace Tcpcp.Agent.Journal;

/// <summary>A journal in a directory of a memory file system (tmpfs): it outlives the process, not the host.</summary>
/// <remarks>
/// <code>
/// file     | header | record | record | ...
/// header   | magic 8 | major 2 | minor 2 | incarnation 16 | last ticket 8 | CRC-32C 4 |
/// record   | length n 4 | CRC-32C of the length 4 | CRC-32C 4 | tcpcp.v1.JournalRecord, n bytes |
/// </code>
/// Numbers are big-endian. A last record that was not written to its end is cut off; anything else that is not as it was written makes the journal a new
/// one, with a new incarnation, and the damaged file is kept beside it. One process has it, by a lock on a second file.
/// </remarks>
internal sealed class FileJournal : IPassJournal, IDisposable
{
    private const ushort VersionMajor = 1;
    private const ushort VersionMinor = 0;
    private const int HeaderBytes = 40;
    private const int PrefixBytes = 12;
    private const long CompactFromBytes = 1 << 20;
    private const long ReserveAheadBytes = 256 << 10; // so that not every pass asks the file system
    private const string FileName = "journal";
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly Lock _lock = new();
    private readonly string _path;
    private readonly FileStream _owner;
    private readonly IReadOnlyList<JournalRecord> _atStart;
    private readonly Dictionary<PassId, long> _reserved = [];
    private JournalState _state = new();
    private SafeFileHandle _file;
    private long _reservedBytes;
    private long _roomEnd; // up to there the file system has given room
    private long _end;

    private FileJournal(string directory, FileStream owner)
    {
        _path = Path.Combine(directory, FileName);
        _owner = owner;
        Damage = Load();
        _file = Compact(null);
        _atStart = _state.Open;
    }

    private static ReadOnlySpan<byte> Magic => [0x89, (byte)'T', (byte)'C', (byte)'P', (byte)'J', (byte)'R', (byte)'N', (byte)'\n'];

    public Guid Incarnation { get; private set; } = Guid.NewGuid();

    /// <summary>What was wrong with the journal that was found; null if nothing. It was put aside, and this one is new.</summary>
    public string? Damage { get; }

    /// <param name="directory">It is made if it is not there, for its owner alone.</param>
    /// <exception cref="IOException">Another process has the journal, or the directory cannot be used.</exception>
    public static FileJournal Open(string directory)
    {
        Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        FileStream owner;
        try
        {
            // Whoever can open it can lock it, and keep the agent from starting.
            owner = new FileStream(Path.Combine(directory, FileName + ".lock"),
                new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.Write, Share = FileShare.None, UnixCreateMode = OwnerOnly });
            File.SetUnixFileMode(owner.SafeFileHandle, OwnerOnly); // one that an earlier agent has made
        }
        catch (IOException e) when (e.HResult == Errno.EAGAIN)
        {
            throw new IOException($"Another agent uses the journal in {directory}. End it first, or give this one another directory.", e);
        }

        try
        {
            return new FileJournal(directory, owner);
        }
        catch
        {
            owner.Dispose();
            throw;
        }
    }

    public IReadOnlyList<JournalRecord> ReadAtStart() => _atStart;

    public ulong TakeTicketNumber()
    {
        lock (_lock)
            return ++_state.LastTicket;
    }

    public void Reserve(PassId pass, long bytes)
    {
        lock (_lock)
        {
            long all = _reservedBytes - _reserved.GetValueOrDefault(pass) + bytes;
            if (_end + all > _roomEnd)
                _roomEnd = _end + ReserveWithMore(all);
            SetReserved(pass, bytes);
        }
    }

    /// <summary>Size of the records.</summary>
    public long LengthBytes => Volatile.Read(ref _end);

    public void Append(JournalRecord record)
    {
        byte[] bytes = Encode(record);
        lock (_lock)
        {
            Write(bytes);
            PassId pass = JournalRecords.IdOf(record);
            if (JournalRecords.IsLast(record))
                SetReserved(pass, 0);
            else if (_reserved.TryGetValue(pass, out long left))
                SetReserved(pass, Math.Max(0, left - bytes.Length));
            _state.Add(record);
            if (JournalRecords.IsLast(record) && _end > CompactFromBytes)
                CompactIfThereIsRoom();
        }
    }

    public void Dispose()
    {
        _file.Dispose();
        _owner.Dispose();
    }

    private void SetReserved(PassId pass, long bytes)
    {
        _reservedBytes += bytes - _reserved.GetValueOrDefault(pass);
        if (bytes > 0)
            _reserved[pass] = bytes;
        else
            _reserved.Remove(pass);
    }

    private long ReserveWithMore(long bytes)
    {
        try
        {
            Reserve(_file, _end, bytes + ReserveAheadBytes);
            return bytes + ReserveAheadBytes;
        }
        catch (JournalFullException)
        {
            Reserve(_file, _end, bytes);
            return bytes;
        }
    }

    private void Write(byte[] bytes)
    {
        try
        {
            RandomAccess.Write(_file, bytes, _end);
            _end += bytes.Length;
        }
        catch (IOException e)
        {
            RandomAccess.SetLength(_file, _end); // no half record stays
            _roomEnd = _end; // it takes the room beyond with it
            throw new JournalFullException($"The journal {_path} takes no record: {e.Message}", e);
        }
    }

    // What is damaged; null if nothing is, or there is no journal yet.
    private string? Load()
    {
        if (!File.Exists(_path))
            return null;
        byte[] content = File.ReadAllBytes(_path);
        try
        {
            (Incarnation, ulong lastTicket) = ReadHeader(content);
            _state.LastTicket = lastTicket;
            for (int at = HeaderBytes; at + PrefixBytes <= content.Length;)
            {
                uint length = BinaryPrimitives.ReadUInt32BigEndian(content.AsSpan(at));
                if (Checksum(content.AsSpan(at, 4)) != BinaryPrimitives.ReadUInt32BigEndian(content.AsSpan(at + 4)))
                    throw new InvalidDataException($"The record at {at} has another length than it was written with.");
                if (length > content.Length - at - PrefixBytes)
                    break; // torn: the process died while it wrote
                ReadOnlySpan<byte> payload = content.AsSpan(at + PrefixBytes, (int)length);
                if (Checksum(payload) != BinaryPrimitives.ReadUInt32BigEndian(content.AsSpan(at + 8)))
                    throw new InvalidDataException($"The record at {at} has a wrong checksum.");
                _state.Add(JournalRecord.Parser.ParseFrom(payload));
                at += PrefixBytes + (int)length;
            }

            return null;
        }
        catch (Exception e) when (e is InvalidDataException or InvalidProtocolBufferException)
        {
            string aside = $"{_path}.damaged-{DateTime.UtcNow:yyyyMMddTHHmmssfffffff}";
            File.Move(_path, aside);
            (Incarnation, _state) = (Guid.NewGuid(), new JournalState());
            return $"{e.Message} It was put aside as {aside}; this journal is a new one.";
        }
    }

    private static (Guid Incarnation, ulong LastTicket) ReadHeader(ReadOnlySpan<byte> content)
    {
        if (content.Length < HeaderBytes || !content.StartsWith(Magic))
            throw new InvalidDataException("It does not begin as a journal.");
        if (Checksum(content[..(HeaderBytes - 4)]) != BinaryPrimitives.ReadUInt32BigEndian(content[(HeaderBytes - 4)..]))
            throw new InvalidDataException("Its header has a wrong checksum.");
        ushort major = BinaryPrimitives.ReadUInt16BigEndian(content[8..]);
        return major == VersionMajor
            ? (new Guid(content[12..28]), BinaryPrimitives.ReadUInt64BigEndian(content[28..]))
            : throw new InvalidDataException($"It has format version {major}; this agent reads {VersionMajor}.");
    }

    private void CompactIfThereIsRoom()
    {
        try
        {
            _file = Compact(_file);
        }
        catch (Exception e) when (e is IOException or JournalFullException)
        {
            // The long one goes on.
        }
    }

    // Only what is open, in a new file that replaces the old one at once.
    private SafeFileHandle Compact(SafeFileHandle? old)
    {
        string path = _path + ".new";
        using MemoryStream content = new();
        content.Write(Header());
        foreach (JournalRecord record in _state.Open)
            content.Write(Encode(record));
        File.Delete(path);
        new FileStream(path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = OwnerOnly }).Dispose();
        SafeFileHandle file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.Read);
        try
        {
            RandomAccess.Write(file, content.GetBuffer().AsSpan(0, (int)content.Length), 0);
            Reserve(file, content.Length, _reservedBytes);
            File.Move(path, _path, overwrite: true);
        }
        catch
        {
            file.Dispose();
            throw;
        }

        old?.Dispose();
        (_end, _roomEnd) = (content.Length, content.Length + _reservedBytes);
        return file;
    }

    private byte[] Header()
    {
        byte[] header = new byte[HeaderBytes];
        Magic.CopyTo(header);
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(8), VersionMajor);
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(10), VersionMinor);
        Incarnation.TryWriteBytes(header.AsSpan(12));
        BinaryPrimitives.WriteUInt64BigEndian(header.AsSpan(28), _state.LastTicket);
        BinaryPrimitives.WriteUInt32BigEndian(header.AsSpan(HeaderBytes - 4), Checksum(header.AsSpan(0, HeaderBytes - 4)));
        return header;
    }

    private static void Reserve(SafeFileHandle file, long offset, long length)
    {
        try
        {
            FileSpace.Reserve(file, offset, length);
        }
        catch (KernelException e) when (e.Errno is Errno.ENOSPC or Errno.EDQUOT)
        {
            throw new JournalFullException($"The journal's file system has no room for {length} bytes more.", e);
        }
    }

    private static byte[] Encode(JournalRecord record)
    {
        int length = record.CalculateSize();
        byte[] bytes = GC.AllocateUninitializedArray<byte>(PrefixBytes + length);
        BinaryPrimitives.WriteInt32BigEndian(bytes, length);
        record.WriteTo(bytes.AsSpan(PrefixBytes));
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(4), Checksum(bytes.AsSpan(0, 4)));
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(8), Checksum(bytes.AsSpan(PrefixBytes)));
        return bytes;
    }

    // CRC-32C; the CPU has an instruction for eight bytes at a time.
    private static uint Checksum(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
        foreach (ulong word in MemoryMarshal.Cast<byte, ulong>(bytes))
            crc = BitOperations.Crc32C(crc, word);
        foreach (byte rest in bytes[(bytes.Length & ~7)..])
            crc = BitOperations.Crc32C(crc, rest);
        return ~crc;
    }
}
