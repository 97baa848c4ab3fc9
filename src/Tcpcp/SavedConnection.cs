using Tcpcp.Core;
using Tcpcp.Linux.Files;

namespace Tcpcp;

/// <summary>
/// A connection saved to a file. The file is readable by its owner alone, since it has the connection's data; it is written whole or not at
/// all, and a file that was cut, changed or extended is refused (SHA-256). With a key it is encrypted too (AES-256-GCM).
/// </summary>
/// <example>
/// <code>
/// using FrozenConnection frozen = FrozenConnection.Freeze(socket);
/// ConnectionSnapshot snapshot = frozen.Capture();
/// new SavedConnection(snapshot, SavedConnectionKind.Released, DateTimeOffset.UtcNow - frozen.StoodStill).Write("session.tcpcp");
/// frozen.MarkSent();
/// frozen.Release();
/// </code>
/// </example>
public sealed class SavedConnection
{
    /// <summary>What is appended to the name of a released connection's file when the connection was revived.</summary>
    public const string UsedSuffix = ".used";

    private readonly SnapshotFile _file;

    /// <summary>Makes one that is not in a file yet.</summary>
    /// <param name="snapshot">The connection.</param>
    /// <param name="kind">What becomes of it here.</param>
    /// <param name="capturedAt">When it was captured: now, less <see cref="FrozenConnection.StoodStill"/>.</param>
    public SavedConnection(ConnectionSnapshot snapshot, SavedConnectionKind kind, DateTimeOffset capturedAt)
        : this(new SnapshotFile(snapshot, kind, capturedAt, Environment.MachineName))
    {
    }

    private SavedConnection(SnapshotFile file) => _file = file;

    /// <summary>The connection.</summary>
    public ConnectionSnapshot Snapshot => _file.Snapshot;

    /// <summary>What became of it where it was saved.</summary>
    public SavedConnectionKind Kind => _file.Kind;

    /// <summary>When it was captured, by the clock of the host that did.</summary>
    public DateTimeOffset CapturedAt => _file.CapturedAt;

    /// <summary>Name of the host that saved it.</summary>
    public string Host => _file.Host;

    /// <summary>Reads and validates a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="maxQueueBytes">Limit of each queue in bytes, tested before anything is read; default 64 MiB.</param>
    /// <param name="key">What it is encrypted by; null: it must not be encrypted.</param>
    /// <exception cref="InvalidSnapshotException">It is no saved connection, or a damaged one; the message says what is wrong.</exception>
    /// <exception cref="SnapshotKeyException">It is encrypted by something else, or not at all.</exception>
    /// <exception cref="IOException">It is not there or cannot be read.</exception>
    public static SavedConnection Read(
        string path, int maxQueueBytes = SnapshotValidator.DefaultMaxQueueBytes, SnapshotKey? key = null)
    {
        using FileStream file = File.OpenRead(path);
        return Read(file, key, maxQueueBytes);
    }

    /// <summary>Writes the file with mode 0600 and waits until it is on disk.</summary>
    /// <param name="path">The file; in its directory a temporary one is made first.</param>
    /// <param name="replace">Replace a file of that name; else there must be none.</param>
    /// <param name="key">Encrypts it; <see cref="SnapshotKey.Prepare"/> before the connection stands still. Null: it is plain.</param>
    /// <exception cref="IOException">There is one already, or it could not be written; then there is no new file.</exception>
    public void Write(string path, bool replace = false, SnapshotKey? key = null)
    {
        using AtomicFile file = AtomicFile.Create(path);
        Write(file, replace, key);
    }

    /// <summary>
    /// How long the connection has stood still: the restore advances its timestamp clock by that. By the wall clocks of both hosts, so
    /// never less than zero; and zero if it is more than half of the clock's range, where the peer accepts any timestamp if it is true (RFC
    /// 7323, 5.5), and none if a wall clock was wrong.
    /// </summary>
    /// <param name="now">The present time.</param>
    public TimeSpan StoodStill(DateTimeOffset now)
    {
        TimeSpan elapsed = now - CapturedAt;
        TimeSpan half = Snapshot.Timestamps.Microseconds
            ? TimeSpan.FromMicroseconds(int.MaxValue)
            : TimeSpan.FromMilliseconds(int.MaxValue);
        return elapsed > TimeSpan.Zero && elapsed < half - TimeSpan.FromSeconds(1) ? elapsed : TimeSpan.Zero;
    }

    internal static SavedConnection Read(FileStream file, SnapshotKey? key, int maxQueueBytes = SnapshotValidator.DefaultMaxQueueBytes)
    {
        if (file.Length > SnapshotFile.MaxBytes(maxQueueBytes))
            throw new InvalidSnapshotException($"{file.Name} has {file.Length} bytes: more than " +
                $"any saved connection with {maxQueueBytes} bytes a queue.");
        byte[] bytes = new byte[file.Length];
        file.ReadExactly(bytes);
        try
        {
            return new SavedConnection(SnapshotFile.Decode(bytes, maxQueueBytes, key));
        }
        catch (InvalidSnapshotException e)
        {
            throw new InvalidSnapshotException($"{file.Name} cannot be used. {e.Message}", e);
        }
        catch (SnapshotKeyException e)
        {
            throw new SnapshotKeyException($"{file.Name} cannot be read. {e.Message}", e);
        }
    }

    /// <param name="file">Made before the connection was frozen, so that a directory that is not there is found out in time.</param>
    internal void Write(AtomicFile file, bool replace, SnapshotKey? key)
    {
        file.Write(_file.Encode(key));
        file.Publish(replace);
    }
}
