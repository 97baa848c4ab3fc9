using System.Runtime.Versioning;
using System.Security.Cryptography;
using System.Text.Json;
using Tcpcp.Core;
using Tcpcp.Linux.Processes;

namespace Tcpcp.EndToEnd.Tests;

/// <summary>Saved connections that nobody reads without the key.</summary>
[SupportedOSPlatform("linux")]
public sealed class EncryptedConnectionTests
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    // A terminal of its own: waits until the command asks and the terminal shows nothing any more, types an answer, and prints what the terminal showed.
    private const string AtTerminal = """
        import os, pty, select, sys, termios
        answers = sys.argv[1].split("|")
        child, terminal = pty.fork()
        if child == 0:
            os.execv(sys.argv[2], sys.argv[2:])
        shown, asked = b"", 0
        while True:
            ready, _, _ = select.select([terminal], [], [], 60)
            if not ready:
                sys.exit("nothing comes")
            try:
                piece = os.read(terminal, 4096)
            except OSError:
                break
            shown += piece
            while asked < len(answers) and shown.count(b": ") > asked:
                if termios.tcgetattr(terminal)[3] & termios.ECHO:
                    sys.exit("the terminal shows what is typed")
                os.write(terminal, answers[asked].encode() + b"\n")
                asked += 1
        sys.stdout.write(shown.decode())
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """;

    [Fact]
    public async Task A_passphrase_is_asked_for_at_the_terminal_twice_and_does_not_show_and_another_one_opens_nothing()
    {
        await using NetcatSession session = await NetcatSession.StartAsync();
        string[] dump = [Command.Path, "dump", $"{session.Connection}", "-o", session.File, "--release", "--passphrase"];
        (int exitCode, string shown) = await AtTerminalAsync(session, "open sesame|open sesam", dump);
        Assert.True(exitCode == 2 && shown.Contains("differ", StringComparison.Ordinal), shown);
        Assert.False(File.Exists(session.File));

        (exitCode, shown) = await AtTerminalAsync(session, "open sesame|open sesame", dump);
        Assert.True(exitCode == 0 && shown.Contains("encrypted", StringComparison.Ordinal), shown);
        Assert.DoesNotContain("sesam", shown, StringComparison.Ordinal);
        await AssertRestoreAsync(session, "is encrypted by a passphrase, and none was given");

        string passphrase = Path.Combine(Path.GetDirectoryName(session.File)!, "passphrase");
        File.WriteAllText(passphrase, "open barley\n");
        await AssertRestoreAsync(session, "another passphrase", "--passphrase-file", passphrase);

        File.WriteAllText(passphrase, "open sesame\nand a second line");
        session.Start(session.A, "restore", session.File, "--passphrase-file", passphrase, "--inetd", "--", "cat");
        session.Peer.Send("it lives\n"u8);
        Assert.Equal("it lives\n", session.Receive(9));
        await session.AssertCleanAsync();
    }

    [Fact]
    public async Task A_file_with_a_key_file_is_revived_by_it_alone_and_stays_encrypted_when_it_is_taken_back()
    {
        await using NetcatSession session = await NetcatSession.StartAsync();
        string key = Path.Combine(Path.GetDirectoryName(session.File)!, "key");
        File.WriteAllBytes(key, RandomNumberGenerator.GetBytes(31));
        (int exitCode, _, string error) = await session.RunAsync(session.A, "dump", $"{session.Connection}", "-o", session.File, "--key-file", key);
        Assert.True(exitCode == 2 && error.Contains("fewer than 32 bytes", StringComparison.Ordinal), error);

        byte[] secret = RandomNumberGenerator.GetBytes(32);
        File.WriteAllBytes(key, secret);
        string output;
        (exitCode, output, error) = await session.RunAsync(session.A, "dump", $"{session.Connection}", "-o", session.File, "--release", "--key-file", key, "--json");
        Assert.True(exitCode == 0, error);
        Assert.True(JsonDocument.Parse(output).RootElement.GetProperty("encrypted").GetBoolean());
        File.WriteAllBytes(key, RandomNumberGenerator.GetBytes(32));
        await AssertRestoreAsync(session, "another key", "--key-file", key);

        File.WriteAllBytes(key, secret);
        string broken = Path.Combine(Path.GetDirectoryName(session.File)!, "broken");
        File.WriteAllBytes(broken, [0x7f, (byte)'E', (byte)'L', (byte)'F', .. new byte[100]]);
        File.SetUnixFileMode(broken, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        (exitCode, _, error) = await session.RunAsync(session.A, "restore", session.File, "--key-file", key, "--", broken);
        Assert.True(exitCode == 1 && error.Contains("was taken back", StringComparison.Ordinal), error);
        await AssertRestoreAsync(session, "is encrypted by the bytes of a key file, and none was given");

        session.Start(session.A, "restore", session.File, "--key-file", key, "--inetd", "--", "cat");
        session.Peer.Send("it lives\n"u8);
        Assert.Equal("it lives\n", session.Receive(9));
        await session.AssertCleanAsync();
    }

    [Fact]
    public async Task A_key_for_a_file_that_is_not_encrypted_is_refused()
    {
        await using NetcatSession session = await NetcatSession.StartAsync();
        await session.DumpAsync("--release");
        string key = Path.Combine(Path.GetDirectoryName(session.File)!, "key");
        File.WriteAllBytes(key, RandomNumberGenerator.GetBytes(32));
        await AssertRestoreAsync(session, "It is not encrypted, but a key was given", "--key-file", key);
    }

    [Fact]
    public async Task Two_keys_and_no_terminal_are_said()
    {
        (int exitCode, _, string error) = await Command.RunAsync("restore", "/nowhere", "--passphrase", "--key-file", "/nowhere", "--", "cat");
        Assert.True(exitCode == 2 && error.Contains("a file has one key", StringComparison.Ordinal), error);
        (exitCode, _, error) = await Command.RunProgramAsync("setsid", "-w", Command.Path, "restore", "/nowhere", "--passphrase", "--", "cat");
        Assert.True(exitCode == 2 && error.Contains("--passphrase-file", StringComparison.Ordinal), error);
    }

    private static async Task AssertRestoreAsync(NetcatSession session, string said, params string[] options)
    {
        (int exitCode, _, string error) = await session.RunAsync(session.A, ["restore", session.File, .. options, "--", "cat"]);
        Assert.Contains(said, error, StringComparison.Ordinal);
        Assert.Equal(2, exitCode);
        Assert.True(File.Exists(session.File));
    }

    private static async Task<(int ExitCode, string Shown)> AtTerminalAsync(NetcatSession session, string answers, string[] command)
    {
        await using ChildProcess python = ChildProcess.Start("/usr/bin/python3", ["-c", AtTerminal, answers, .. command], new ChildOptions(), session.A.Thread);
        int exitCode = await python.Exit.WaitAsync(s_limit);
        return (exitCode, await python.Output!.Completed.WaitAsync(s_limit) + await python.ErrorOutput!.Completed.WaitAsync(s_limit));
    }
}
