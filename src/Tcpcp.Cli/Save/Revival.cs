using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Tcpcp.Core;
using Tcpcp.Linux;
using Tcpcp.Linux.Diagnostics;
using Tcpcp.Linux.Files;

namespace Tcpcp.Cli.Save;

/// <summary>A saved connection on its way back to life. A scope: leaving it before <see cref="Activate"/> leaves the file as it
/// was.</summary>
internal sealed class Revival : IDisposable
{
    private readonly string _path;
    private readonly FileStream _file;
    private readonly SavedConnection _saved;
    private readonly SnapshotKey? _key;
    private readonly DeferredSignals _signals = new();
    private DormantConnection? _dormant;
    private Socket? _socket;

    private Revival(string path, FileStream file, SavedConnection saved, SnapshotKey? key)
    {
        (_path, _file, _saved, _key) = (path, file, saved, key);
        FileNow = path;
    }

    /// <summary>Where the file is now: under its own name, or as used.</summary>
    public string FileNow { get; private set; }

    /// <summary>The connection lives, or lived, and nobody has it.</summary>
    public bool IsInDoubt { get; private set; }

    /// <summary>The connection, after <see cref="Activate"/>.</summary>
    public Socket Socket => _socket ?? throw new InvalidOperationException($"{Connection} was not activated.");

    /// <summary>Variables for the program that gets the connection; null takes one away.</summary>
    public IReadOnlyDictionary<string, string?> Environment => new Dictionary<string, string?>(StringComparer.Ordinal)
    {
        ["LISTEN_FDS"] = "1",
        ["LISTEN_PID"] = System.Environment.ProcessId.ToString(CultureInfo.InvariantCulture),
        ["LISTEN_FDNAMES"] = "connection",
        ["REMOTE_ADDR"] = Connection.Peer.Address.ToString(),
        ["REMOTE_PORT"] = Connection.Peer.Port.ToString(CultureInfo.InvariantCulture),
    };

    private FourTuple Connection => _saved.Snapshot.Connection;

    /// <summary>Reads and checks a file and restores its connection, dormant: nothing is sent.</summary>
    /// <param name="path">The file.</param>
    /// <param name="key">What it is encrypted by, if it is; in use until this scope is left.</param>
    /// <param name="force">Also a copy, and a file that was used.</param>
    /// <exception cref="UnusableFileException">The file cannot be revived or must not be.</exception>
    /// <exception cref="IOException">This host cannot revive it now.</exception>
    public static Revival Open(string path, SnapshotKey? key, bool force)
    {
        FileStream file = OpenFile(path);
        try
        {
            Revival revival = new(path, file, Read(file, key), key);
            try
            {
                revival.RequireUnused(force);
                revival.RequireOwnAddress();
                revival.RequireNotAlive();
                revival._dormant = DormantConnection.Restore(revival._saved.Snapshot, revival._saved.StoodStill(DateTimeOffset.UtcNow));
                return revival;
            }
            catch
            {
                revival.Dispose();
                throw;
            }
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Lets the connection live. A released one's file is marked as used before: of two that try, one fails here.</summary>
    public void Activate()
    {
        if (_saved.Kind == SavedConnectionKind.Released && !_path.EndsWith(SavedConnection.UsedSuffix, StringComparison.Ordinal))
        {
            MarkUsed();
        }

        IsInDoubt = true;
        _socket = _dormant!.Activate();
    }

    /// <summary>After the activation, when nobody wants the connection: captures it again, closes it silently and writes the file
    /// anew.</summary>
    public void TakeBack()
    {
        using FrozenConnection frozen = FrozenConnection.Freeze(Socket);
        ConnectionSnapshot snapshot = frozen.Capture();
        new SavedConnection(snapshot, SavedConnectionKind.Released, DateTimeOffset.UtcNow - frozen.StoodStill).Write(_path, replace: true, _key);
        frozen.MarkSent();
        frozen.Release();
        IsInDoubt = false;
        if (FileNow != _path)
            File.Delete(FileNow);
        FileNow = _path;
    }

    public void Dispose()
    {
        _dormant?.Dispose();
        _file.Dispose();
        _signals.Dispose();
        _socket?.Dispose();
    }

    private static FileStream OpenFile(string path)
    {
        try
        {
            // Locked (flock) as long as it is open: a second restore fails here.
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.None);
        }
        catch (FileNotFoundException e)
        {
            throw new UnusableFileException(File.Exists(path + SavedConnection.UsedSuffix)
                ? $"The connection of {path} was revived already: see {path}{SavedConnection.UsedSuffix}."
                : $"There is no file {path}.", e);
        }
        catch (DirectoryNotFoundException e)
        {
            throw new UnusableFileException($"There is no file {path}.", e);
        }
    }

    private static SavedConnection Read(FileStream file, SnapshotKey? key)
    {
        try
        {
            return SavedConnection.Read(file, key);
        }
        catch (SnapshotKeyException e)
        {
            throw new UnusableFileException($"{e.Message} Give the option that it was saved with: --passphrase, --passphrase-file or --key-file; none for a plain one.", e);
        }
        catch (Exception e) when (e is InvalidSnapshotException or NotSupportedException)
        {
            throw new UnusableFileException(e is InvalidSnapshotException ? e.Message : $"{file.Name} is not a file.", e);
        }
    }

    private void MarkUsed()
    {
        try
        {
            AtomicFile.Rename(_path, _path + SavedConnection.UsedSuffix);
            FileNow = _path + SavedConnection.UsedSuffix;
        }
        catch (FileNotFoundException e)
        {
            throw new UnusableFileException($"Somebody else has revived {_path} at the same time.", e);
        }
    }

    private void RequireUnused(bool force)
    {
        if (force)
            return;
        if (_saved.Kind == SavedConnectionKind.Copy)
            throw new UnusableFileException($"{_path} is a copy of {Connection}, which went on at {_saved.Host} when it was saved: two owners would " +
                "destroy it. Save it with 'tcpcp dump --release' to move it, or give --force if it is surely dead there.");
        if (_path.EndsWith(SavedConnection.UsedSuffix, StringComparison.Ordinal))
            throw new UnusableFileException($"{_path} was revived already: the connection may be alive. " +
                "Give --force if it is surely dead.");
    }

    private void RequireOwnAddress()
    {
        try
        {
            using Socket probe = new(Connection.Local.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            probe.Bind(new IPEndPoint(Connection.Local.Address, 0));
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressNotAvailable)
        {
            throw new IOException($"{Connection.Local.Address} is not an address of this host. Move it here first, for example: " +
                $"ip address add {Connection.Local.Address}/{(Connection.IsIPv6 ? 128 : 32)} dev eth0.", e);
        }
    }

    private void RequireNotAlive()
    {
        using SocketDiagnostics diagnostics = new();
        if (diagnostics.Find(Connection) is { State: not TcpState.TimeWait } alive)
            throw new IOException($"{Connection} is alive on this host already, in state {alive.State} ('tcpcp show {Connection}').");
    }
}
