using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Tcpcp.Core;
using Tcpcp.Linux.Processes;
using Tcpcp.Linux.Tcp;

namespace Tcpcp.EndToEnd.Tests;

[SupportedOSPlatform("linux")]
public sealed class SavedConnectionTests
{
    [Fact]
    public async Task A_connection_of_nc_is_saved_and_revived_as_cat_on_the_same_host()
    {
        await using NetcatSession session = await NetcatSession.StartAsync();
        await session.ExchangeAsync(session.Netcat, "nc");
        await session.DumpAsync("--release");
        await session.Netcat.Exit.WaitAsync(TimeSpan.FromSeconds(30)); // its socket is closed
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(session.File));
        session.Peer.Send("while nobody has it\n"u8); // dropped by the gate, and sent again

        ChildProcess cat = session.Start(session.A, "restore", session.File, "--inetd", "--", "cat");
        Assert.Equal("while nobody has it\n", session.Receive(20));
        session.Peer.Send("and again\n"u8);
        Assert.Equal("and again\n", session.Receive(10));
        Assert.Equal("cat", SocketCommand(cat));
        Assert.False(File.Exists(session.File));
        Assert.True(File.Exists(session.File + ".used"));
        await session.AssertCleanAsync();
    }

    [Fact]
    public async Task A_connection_of_nc_is_saved_and_revived_as_socat_on_another_host()
    {
        await using NetcatSession session = await NetcatSession.StartAsync();
        await session.ExchangeAsync(session.Netcat, "nc");
        await session.DumpAsync("--release");
        session.MoveToB();
        ChildProcess socat = session.Start(session.B, "restore", session.File, "--", "sh", "-c",
            "echo $LISTEN_FDS $LISTEN_FDNAMES $((LISTEN_PID - $$)) $REMOTE_ADDR:$REMOTE_PORT; exec socat - FD:3");
        await socat.Output!.WaitForAsync($"1 connection 0 {session.Connection.Peer}\n", TimeSpan.FromSeconds(30));
        await session.ExchangeAsync(socat, "socat");
        await session.ExchangeAsync(socat, "socat again");
        await session.AssertCleanAsync();
    }

    [Fact]
    public async Task A_dump_without_release_leaves_the_connection_and_its_process_as_they_were()
    {
        await using NetcatSession session = await NetcatSession.StartAsync();
        await session.ExchangeAsync(session.Netcat, "nc");
        (string Flags, long Linger) before = StateOf(session.Netcat);
        (int exitCode, string output, string error) = await session.RunAsync(session.A, "dump", $"{session.Connection}", "-o", session.File,
            "--json");
        Assert.True(exitCode == 0, error);
        JsonElement report = JsonDocument.Parse(output).RootElement;
        Assert.Equal($"{session.Connection}", report.GetProperty("connection").GetString());
        Assert.Equal("copy", report.GetProperty("kind").GetString());
        Assert.Equal(session.Netcat.Pid, report.GetProperty("processes")[0].GetInt32());
        Assert.Equal(new FileInfo(session.File).Length, report.GetProperty("file_bytes").GetInt64());
        Assert.DoesNotContain('T', ThreadStates.Of(session.Netcat.Pid));
        Assert.Equal(before, StateOf(session.Netcat));
        await session.ExchangeAsync(session.Netcat, "nc again");
        await session.AssertCleanAsync();
        Assert.Empty(Directory.EnumerateFiles(Path.GetDirectoryName(session.File)!, ".session*"));
    }

    [Fact]
    public async Task A_connection_is_named_by_process_and_descriptor_from_another_network_namespace_too()
    {
        await using NetcatSession session = await NetcatSession.StartAsync();
        await session.ExchangeAsync(session.Netcat, "nc");
        string connection = $"pid:{session.Netcat.Pid}/{DescriptorOf(session.Netcat)}";
        (int exitCode, string output, string error) = await session.RunAsync(session.B, "dump", connection, "-o", session.File);
        Assert.True(exitCode == 0, output + error);
        Assert.Contains($"{session.Connection}", output, StringComparison.Ordinal);
        await session.ExchangeAsync(session.Netcat, "nc again");
        await session.AssertCleanAsync();
    }

    [Fact]
    public async Task A_process_that_was_stopped_stays_stopped()
    {
        await using NetcatSession session = await NetcatSession.StartAsync();
        await session.ExchangeAsync(session.Netcat, "nc");
        session.Netcat.Signal(19); // SIGSTOP
        await Eventually.True(() => ThreadStates.Of(session.Netcat.Pid).All(state => state == 'T'));
        await session.DumpAsync();
        Assert.All(ThreadStates.Of(session.Netcat.Pid), state => Assert.Equal('T', state));
        session.Netcat.Signal(18); // SIGCONT
        await session.ExchangeAsync(session.Netcat, "nc again");
    }

    [Fact]
    public async Task A_process_that_writes_without_pause_loses_no_byte_by_twenty_dumps()
    {
        byte[] bytes = RandomNumberGenerator.GetBytes(40_000_000);
        await using NetcatSession session = await NetcatSession.StartAsync(bytes);
        byte[] received = new byte[bytes.Length];
        int read = 0;
        for (int dump = 0; dump < 20; dump++)
        {
            for (int end = (dump + 1) * 1_000_000; read < end;)
                read += session.Peer.Receive(received.AsSpan(read, Math.Min(received.Length - read, 100_000)));
            await session.DumpAsync("--force");
        }

        while (read < received.Length && session.Peer.Receive(received.AsSpan(read)) is > 0 and { } count)
            read += count;
        Assert.Equal(Convert.ToHexString(SHA256.HashData(bytes)), Convert.ToHexString(SHA256.HashData(received)));
        Assert.Equal(0, session.Peer.Receive(new byte[1])); // the end of nc's input
        await session.AssertCleanAsync(ended: true);
    }

    [Fact]
    public async Task A_dump_that_cannot_write_changes_nothing()
    {
        await using NetcatSession session = await NetcatSession.StartAsync();
        (int exitCode, _, string error) = await session.RunAsync(session.A, "dump", $"{session.Connection}", "-o", "/nowhere/x.tcpcp",
            "--release");
        Assert.Equal(1, exitCode);
        Assert.Contains("goes on as before", error, StringComparison.Ordinal);
        File.WriteAllText(session.File, "precious");
        (exitCode, _, error) = await session.RunAsync(session.A, "dump", $"{session.Connection}", "-o", session.File, "--release");
        Assert.Equal(2, exitCode);
        Assert.Contains("exists already", error, StringComparison.Ordinal);
        Assert.Equal("precious", File.ReadAllText(session.File));
        await session.ExchangeAsync(session.Netcat, "nc");
        await session.AssertCleanAsync();
    }

    [Fact]
    public async Task A_restore_that_is_refused_or_fails_leaves_the_file_usable_and_the_next_one_revives_it_once()
    {
        await using NetcatSession session = await NetcatSession.StartAsync();
        await session.ExchangeAsync(session.Netcat, "nc");
        await session.DumpAsync("--release");
        string notForThisKernel = Path.Combine(Path.GetDirectoryName(session.File)!, "broken");
        File.WriteAllBytes(notForThisKernel, [0x7f, (byte)'E', (byte)'L', (byte)'F', .. new byte[100]]);
        File.SetUnixFileMode(notForThisKernel, UnixFileMode.UserRead | UnixFileMode.UserExecute);

        await AssertRestoreAsync(session, session.B, 1, "not an address of this host", session.File, "cat");
        await AssertRestoreAsync(session, session.A, 2, "There is no program", session.File, "no-such-program");
        await AssertRestoreAsync(session, session.A, 2, "may not be executed", session.File, session.File);
        await AssertRestoreAsync(session, session.A, 1, "was taken back", session.File, notForThisKernel); // found out by execve alone

        ChildProcess cat = session.Start(session.A, "restore", session.File, "--inetd", "--", "cat");
        session.Peer.Send("hello\n"u8);
        Assert.Equal("hello\n", session.Receive(6));
        await AssertRestoreAsync(session, session.A, 2, "revived already", session.File, "cat");
        await AssertRestoreAsync(session, session.A, 2, "revived already", session.File + ".used", "cat");
        File.Copy(session.File + ".used", session.File);
        await AssertRestoreAsync(session, session.A, 1, "is alive on this host", session.File, "cat");
        session.Peer.Send("still here\n"u8);
        Assert.Equal("still here\n", session.Receive(11));
        Assert.False(cat.Exit.IsCompleted);
        await session.AssertCleanAsync();
    }

    [Fact]
    public async Task A_copy_is_revived_by_force_alone_and_only_when_the_original_is_gone()
    {
        await using NetcatSession session = await NetcatSession.StartAsync();
        await session.ExchangeAsync(session.Netcat, "nc");
        await session.DumpAsync();
        await AssertRestoreAsync(session, session.A, 2, "is a copy", session.File, "cat");
        (int exitCode, _, string error) = await session.RunAsync(session.A, "restore", session.File, "--force", "--", "cat");
        Assert.Equal(1, exitCode);
        Assert.Contains("is alive on this host", error, StringComparison.Ordinal);
        await session.ExchangeAsync(session.Netcat, "nc again");
        await session.AssertCleanAsync();
    }

    [Fact]
    public async Task A_file_that_was_cut_or_changed_is_refused()
    {
        await using NetcatSession session = await NetcatSession.StartAsync();
        await session.DumpAsync("--release");
        byte[] file = File.ReadAllBytes(session.File);
        string damaged = session.File + ".damaged";
        File.WriteAllBytes(damaged, file[..^1]);
        await AssertRestoreAsync(session, session.A, 2, "It is cut", damaged, "cat");
        file[^40] ^= 1;
        File.WriteAllBytes(damaged, file);
        await AssertRestoreAsync(session, session.A, 2, "It was changed", damaged, "cat");
        File.WriteAllText(damaged, "something else");
        await AssertRestoreAsync(session, session.A, 2, "not a saved connection", damaged, "cat");
    }

    [Fact]
    public async Task What_is_unread_and_unsent_is_in_the_file_and_comes_back()
    {
        await using NetcatSession session = await NetcatSession.StartAsync();
        session.Netcat.Signal(19); // SIGSTOP: it reads nothing
        await Eventually.True(() => ThreadStates.Of(session.Netcat.Pid).All(state => state == 'T'));
        session.Peer.Send(Encoding.ASCII.GetBytes(new string('x', 3000)));
        SavedConnection saved;
        do
        {
            await session.DumpAsync("--force");
            saved = SavedConnection.Read(session.File);
        }
        while (saved.Snapshot.Unread.Length < 3000);
        await session.DumpAsync("--release", "--force");
        session.Start(session.A, "restore", session.File, "--inetd", "--", "cat");
        Assert.Equal(new string('x', 3000), session.Receive(3000));
        await session.AssertCleanAsync();
    }

    [Theory]
    [InlineData("dump")]
    [InlineData("dump", "nonsense", "-o", "/tmp/x")]
    [InlineData("dump", "192.0.2.1:80-192.0.2.9:51514")]
    [InlineData("restore", "/nowhere.tcpcp")]
    [InlineData("restore", "/nowhere.tcpcp", "--", "cat")]
    public async Task Wrong_use_exits_with_2(params string[] arguments)
    {
        (int exitCode, _, string error) = await Command.RunAsync(arguments);
        Assert.Equal(2, exitCode);
        Assert.NotEqual("", error);
    }

    private static async Task AssertRestoreAsync(NetcatSession session, Lab.Host host, int exitCode, string error, string file,
        string program)
    {
        (int actual, _, string text) = await session.RunAsync(host, "restore", file, "--", program);
        Assert.Contains(error, text, StringComparison.Ordinal);
        Assert.Equal(exitCode, actual);
    }

    private static string SocketCommand(ChildProcess process) => File.ReadAllText($"/proc/{process.Pid}/comm").Trim();

    private static int DescriptorOf(ChildProcess process) => Linux.Diagnostics.SocketOwners.Read() is var owners
        ? Enumerable.Range(0, 10).First(number => IsConnected(process, number, owners)) : 0;

    private static bool IsConnected(ChildProcess process, int number, Linux.Diagnostics.SocketOwners owners)
    {
        if (!File.Exists($"/proc/{process.Pid}/fd/{number}") || Linux.Diagnostics.SocketOwners.InodeOf(process.Pid, number) is not { } inode
            || owners.Of(inode).Count == 0)
            return false;
        using DuplicatedDescriptor socket = process.Descriptor.Duplicate(number);
        return SocketOption.TryGet(socket, SocketLevel.IPPROTO_TCP, TcpOption.TCP_INFO, out TcpInfo info, out _)
            && info.tcpi_state == (byte)TcpState.Established;
    }

    private static (string Flags, long Linger) StateOf(ChildProcess process)
    {
        int number = DescriptorOf(process);
        using DuplicatedDescriptor socket = process.Descriptor.Duplicate(number);
        SocketOption.Get(socket, SocketLevel.SOL_SOCKET, SocketLevel.SO_LINGER, out long linger);
        return (File.ReadLines($"/proc/{process.Pid}/fdinfo/{number}").First(line => line.StartsWith("flags", StringComparison.Ordinal)),
            linger);
    }
}
