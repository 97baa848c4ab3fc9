using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Tcpcp.Cli.Connections;
using Tcpcp.Core;
using Tcpcp.Linux.Files;

namespace Tcpcp.Cli.Save;

/// <summary><c>tcpcp dump CONNECTION -o FILE</c>: saves a connection to a file, and lets it go on, or gives it up.</summary>
internal static class DumpCommand
{
    private const string Help = """
        Saves a connection to a file: its sequence numbers, windows, options and the bytes in both queues. Its process need not know of
        it; it is stopped (SIGSTOP) for the moment that the capture takes. The connection then goes on: the file is a copy, to be looked
        at.

        With --release the file is the connection, to be revived once by 'tcpcp restore', here or on another host: it is closed silently,
        and its process finds its socket closed (ECONNABORTED). This host drops the connection's packets from then on, so that none draws
        an RST: 'tcpcp restore' here, or 'tcpcp doctor --clean', opens the gate again.

        The file has the connection's data: it is readable by its owner alone (0600). With --passphrase, --passphrase-file or --key-file it is
        encrypted too (AES-256-GCM). Without the key nobody can revive it: who loses the key has lost a released connection.

        If tcpcp itself is killed (kill -9) in that moment, the process stays stopped and its connection may be frozen; kill -CONT PID
        continues the process. Ctrl-C and SIGTERM wait until it is over.

        Exit codes: 0 saved; 1 failed, the connection goes on as before, and there is no file; 2 wrong use; 3 in doubt: the message says
        who has the connection.

        Examples:
          tcpcp dump 192.0.2.1:80-192.0.2.9:51514 -o session.tcpcp
          tcpcp dump pid:4711/5 -o session.tcpcp --json | jq .unread_bytes
          tcpcp dump pid:4711/5 -o session.tcpcp --release --passphrase && scp session.tcpcp hostb:
          tcpcp dump pid:4711/5 -o session.tcpcp --passphrase-file /dev/fd/3 3< <(pass show tcpcp)
        """;

    public static Command Create()
    {
        Argument<ConnectionArgument> connection = ConnectionArgument.Create();
        Option<string> output = new("--output", "-o")
        {
            Description = "The file; it must not be there yet.",
            HelpName = "FILE",
            Required = true,
        };
        Option<bool> release = new("--release") { Description = "Give the connection up: the file is to be revived, once." };
        Option<bool> force = new("--force") { Description = "Replace the file if it is there." };
        Option<bool> json = new("--json") { Description = "One JSON object on standard output, and nothing else." };
        KeyOptions keys = new();
        Command command = new("dump", Help) { connection, output, release, force, json };
        keys.AddTo(command);
        command.SetAction(result => Run(result.GetRequiredValue(connection), result.GetRequiredValue(output),
            result.GetValue(release) ? SavedConnectionKind.Released : SavedConnectionKind.Copy, result.GetValue(force),
            result.GetValue(json), () => keys.Read(result, isNew: true)));
        return command;
    }

    private static int Run(
        ConnectionArgument connection, string path, SavedConnectionKind kind, bool replace, bool json, Func<SnapshotKey?> readKey)
    {
        if (Directory.Exists(path))
            return Say(ExitCode.WrongUse, $"{path} is a directory.");
        if (File.Exists(path) && !replace)
            return Say(ExitCode.WrongUse, $"{path} exists already: give another name, or --force to replace it.");
        bool givenUp = false;
        try
        {
            using SnapshotKey? key = readKey();
            key?.Prepare(); // now, so that nobody is stopped for it
            using DeferredSignals signals = new();
            using AtomicFile file = AtomicFile.Create(path); // now, so that a directory that cannot be written to stops nobody
            DumpReport report = kind == SavedConnectionKind.Released
                ? Release(connection, path, file, replace, key, ref givenUp)
                : Copy(connection, path, file, replace, key);
            Print(report, json);
            return ExitCode.Done;
        }
        catch (UnusableFileException e)
        {
            return Say(ExitCode.WrongUse, $"{e.Message} Nothing was saved.");
        }
        catch (ConnectionNotFoundException e)
        {
            return Say(ExitCode.Failed, e.Message);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidOperationException or DllNotFoundException)
        {
            return givenUp
                ? Say(ExitCode.InDoubt, $"{path} has the connection, but it could not be closed here and may be frozen: {e.Message}")
                : Say(ExitCode.Failed, $"{FailureAdvice.Add(e)} The connection goes on as before; nothing was saved.");
        }
    }

    private static DumpReport Copy(ConnectionArgument connection, string path, AtomicFile file, bool replace, SnapshotKey? key)
    {
        using HeldSocket socket = HeldSocket.Take(connection);
        ConnectionSnapshot snapshot;
        DateTimeOffset capturedAt;
        using (FrozenConnection frozen = socket.Freeze())
        {
            snapshot = frozen.Capture();
            capturedAt = DateTimeOffset.UtcNow - frozen.StoodStill;
        }

        socket.Dispose();
        new SavedConnection(snapshot, SavedConnectionKind.Copy, capturedAt).Write(file, replace, key);
        return DumpReport.Of(snapshot, path, SavedConnectionKind.Copy, key is not null, socket.Processes, socket.Stopped);
    }

    private static DumpReport Release(
        ConnectionArgument connection, string path, AtomicFile file, bool replace, SnapshotKey? key, ref bool givenUp)
    {
        using HeldSocket socket = HeldSocket.Take(connection);
        using FrozenConnection frozen = socket.Freeze();
        ConnectionSnapshot snapshot = frozen.Capture();
        new SavedConnection(snapshot, SavedConnectionKind.Released, DateTimeOffset.UtcNow - frozen.StoodStill).Write(file, replace, key);
        // The file is on disk: from now on it is the connection. Until here any failure thaws.
        givenUp = true;
        frozen.MarkSent();
        frozen.Release();
        socket.Dispose();
        return DumpReport.Of(snapshot, path, SavedConnectionKind.Released, key is not null, socket.Processes, socket.Stopped);
    }

    private static void Print(DumpReport report, bool json)
    {
        if (json)
        {
            Console.Out.WriteLine(JsonSerializer.Serialize(report, DumpReportContext.Default.DumpReport));
            return;
        }

        Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{report.Connection} is saved in {report.File}{(report.Encrypted ? ", encrypted" : "")} (") + string.Create(CultureInfo.InvariantCulture,
            $"{report.UnreadBytes} bytes unread, {report.SentBytes} in flight, {report.UnsentBytes} unsent)."));
        string processes = string.Join(", ", report.Processes.Select(process => process.ToString(CultureInfo.InvariantCulture)));
        Console.Out.WriteLine(report.GateClosed
            ? "It is closed here, silently. Its packets are dropped, so that none draws an RST, until 'tcpcp restore' here or " +
                "'tcpcp doctor --clean'."
            : string.Create(CultureInfo.InvariantCulture,
                $"It goes on here; process {processes} was stopped for {report.StoppedMs:F1} ms. The file is a copy."));
    }

    private static int Say(int exitCode, string message)
    {
        Console.Error.WriteLine($"tcpcp dump: {message}");
        return exitCode;
    }
}
