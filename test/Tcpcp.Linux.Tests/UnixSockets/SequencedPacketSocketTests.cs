using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Tcpcp.Linux.Processes;
using Tcpcp.Linux.UnixSockets;

namespace Tcpcp.Linux.Tests.UnixSockets;

public sealed class SequencedPacketSocketTests : IDisposable
{
    private const int MaxBytes = 4096;

    private readonly string _directory = Directory.CreateDirectory($"/dev/shm/tcpcp-test-{Guid.NewGuid():N}").FullName;

    private string SocketPath => Path.Combine(_directory, "s.sock");

    [Fact]
    public async Task Packets_arrive_whole_and_in_order()
    {
        (SequencedPacketSocket own, SequencedPacketSocket other) = await ConnectAsync();
        using (own)
        using (other)
        {
            for (int i = 1; i <= 20; i++)
                Assert.True(own.TrySend(new byte[i * 100], []));
            for (int i = 1; i <= 20; i++)
            {
                using ReceivedPacket? packet = await other.ReceiveAsync(CancellationToken.None);
                Assert.Equal(i * 100, packet!.Data.Length);
                Assert.Equal(0, packet.Descriptors.Count);
            }
        }
    }

    [Fact]
    public async Task Waiting_for_a_packet_takes_neither_its_bytes_nor_its_descriptors()
    {
        (SequencedPacketSocket own, SequencedPacketSocket other) = await ConnectAsync();
        using (own)
        using (other)
        using (SafeFileHandle file = File.OpenHandle("/dev/null"))
        {
            Task<ReceivedPacket?> waiting = other.ReceiveAsync(CancellationToken.None).AsTask();
            Assert.False(waiting.IsCompleted);
            Assert.True(own.TrySend([1, 2, 3], [file]));
            using ReceivedPacket? packet = await waiting.WaitAsync(TimeSpan.FromSeconds(20));
            Assert.Equal([1, 2, 3], packet!.Data);
            Assert.Equal(1, packet.Descriptors.Count);
        }
    }

    [Fact]
    public async Task Waiting_can_be_cancelled_and_loses_nothing()
    {
        (SequencedPacketSocket own, SequencedPacketSocket other) = await ConnectAsync();
        using (own)
        using (other)
        {
            using CancellationTokenSource giveUp = new();
            Task<ReceivedPacket?> waiting = other.ReceiveAsync(giveUp.Token).AsTask();
            await giveUp.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
            Assert.True(own.TrySend([9], []));
            using ReceivedPacket? packet = await other.ReceiveAsync(CancellationToken.None);
            Assert.Equal([9], packet!.Data);
        }
    }

    [Fact]
    public async Task Descriptors_are_closed_on_exec_and_with_the_packet_unless_they_are_taken()
    {
        (SequencedPacketSocket own, SequencedPacketSocket other) = await ConnectAsync();
        using (own)
        using (other)
        using (SafeFileHandle file = File.OpenHandle(Path.Combine(_directory, "file"), FileMode.Create, FileAccess.Write))
        {
            Assert.True(own.TrySend([1], [file, file]));
            SafeHandle taken;
            using (ReceivedPacket? packet = await other.ReceiveAsync(CancellationToken.None))
            {
                Assert.Equal(3, DescriptorsOf("file"));
                taken = packet!.Descriptors.Take(1);
            }

            Assert.Equal(2, DescriptorsOf("file"));
            string flags = File.ReadLines($"/proc/self/fdinfo/{taken.DangerousGetHandle()}").First(line => line.StartsWith("flags:", StringComparison.Ordinal));
            Assert.NotEqual(0, Convert.ToInt32(flags.Split('\t')[1], 8) & 0x80000); // O_CLOEXEC
            taken.Dispose();
            Assert.Equal(1, DescriptorsOf("file"));
        }
    }

    [Fact]
    public async Task A_packet_that_is_too_large_is_an_error_and_its_descriptors_are_closed()
    {
        using SequencedPacketSocket listener = Listen();
        using SequencedPacketSocket own = await SequencedPacketSocket.ConnectAsync(SocketPath, 10 * MaxBytes, CancellationToken.None);
        using SequencedPacketSocket other = await listener.AcceptAsync(CancellationToken.None);
        using SafeFileHandle file = File.OpenHandle(Path.Combine(_directory, "file"), FileMode.Create, FileAccess.Write);
        Assert.True(own.TrySend(new byte[MaxBytes + 1], [file]));
        Assert.True(own.TrySend([5], []));
        PacketException e = await Assert.ThrowsAsync<PacketException>(() => other.ReceiveAsync(CancellationToken.None).AsTask());
        Assert.Contains("A packet of 4097 bytes", e.Message, StringComparison.Ordinal);
        Assert.Equal(1, DescriptorsOf("file"));
        using ReceivedPacket? next = await other.ReceiveAsync(CancellationToken.None);
        Assert.Equal([5], next!.Data);
    }

    [Fact]
    public async Task The_end_of_the_other_side_is_the_end()
    {
        (SequencedPacketSocket own, SequencedPacketSocket other) = await ConnectAsync();
        using (own)
        using (other)
        {
            Assert.True(own.TrySend([1], []));
            own.Close();
            using (ReceivedPacket? packet = await other.ReceiveAsync(CancellationToken.None))
                Assert.NotNull(packet);
            Assert.Null(await other.ReceiveAsync(CancellationToken.None));
            KernelException e = Assert.Throws<KernelException>(() => other.TrySend([1], []));
            Assert.Equal(Errno.EPIPE, e.Errno);
        }
    }

    [Fact]
    public async Task What_was_said_last_arrives_although_something_was_left_unread()
    {
        (SequencedPacketSocket own, SequencedPacketSocket other) = await ConnectAsync();
        using (own)
        using (other)
        {
            Assert.True(other.TrySend([1], []));
            Assert.True(own.TrySend([2], []));
            own.Close();
            using ReceivedPacket? packet = await other.ReceiveAsync(CancellationToken.None);
            Assert.Equal([2], packet!.Data);
        }
    }

    [Fact]
    public async Task A_full_queue_is_said_and_room_is_waited_for()
    {
        (SequencedPacketSocket own, SequencedPacketSocket other) = await ConnectAsync();
        using (own)
        using (other)
        {
            int sent = 0;
            while (own.TrySend(new byte[MaxBytes], []))
                sent++;
            Assert.False(await own.WaitForRoomAsync(TimeSpan.FromMilliseconds(1)));
            Task<bool> room = own.WaitForRoomAsync(TimeSpan.FromSeconds(20));
            for (int i = 0; i < sent; i++)
                (await other.ReceiveAsync(CancellationToken.None))!.Dispose();
            Assert.True(await room);
            Assert.True(own.TrySend([1], []));
        }
    }

    [Fact]
    public async Task The_peers_credentials_are_its_own()
    {
        using SequencedPacketSocket listener = Listen();
        File.SetUnixFileMode(SocketPath, UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite);
        await using ChildProcess child = ChildProcess.Start("setpriv", ["--reuid", "54321", "--regid", "54322", "--groups", "54323,54324", "/usr/bin/python3", "-c",
            $"import socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.connect('{SocketPath}'); s.recv(1)"]);
        using SequencedPacketSocket other = await listener.AcceptAsync(CancellationToken.None).AsTask().WaitAsync(TimeSpan.FromSeconds(20));
        PeerCredentials credentials = other.Credentials;
        Assert.Equal((child.Pid, 54321U, 54322U), (credentials.ProcessId, credentials.UserId, credentials.GroupId));
        Assert.Equal([54323U, 54324U], credentials.Groups);
        Assert.True(credentials.IsMemberOf(54322) && credentials.IsMemberOf(54324) && !credentials.IsMemberOf(54321));
        Assert.Equal((Environment.ProcessId, 0), (listener.Credentials.ProcessId, listener.Credentials.Groups.Count));
    }

    [Fact]
    public void A_path_that_is_too_long_is_named()
    {
        IOException e = Assert.Throws<IOException>(() => SequencedPacketSocket.Listen("/tmp/" + new string('x', 120), MaxBytes, UnixFileMode.UserRead, null));
        Assert.Contains("too long", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Groups_are_found_by_name_and_by_number()
    {
        Assert.Equal(0U, UserGroup.Find("root"));
        Assert.Equal(4711U, UserGroup.Find("4711"));
        Assert.Null(UserGroup.Find("no-such-group"));
    }

    [Fact]
    public void Sealed_memory_is_read_as_it_was_made_and_cannot_be_changed()
    {
        byte[] content = new byte[100_000];
        Random.Shared.NextBytes(content);
        using SafeFileHandle memory = SealedMemory.Create("test", content);
        Assert.True(content.AsSpan().SequenceEqual(SealedMemory.Read(memory, content.Length)));
        Assert.ThrowsAny<Exception>(() => RandomAccess.Write(memory, [1], 0));
        Assert.ThrowsAny<Exception>(() => RandomAccess.SetLength(memory, 1));
        Assert.Contains("the limit is 99999", Assert.Throws<PacketException>(() => SealedMemory.Read(memory, content.Length - 1)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_may_wait_for_another_program_is_not_read()
    {
        Pipe pipe = Pipe.Open();
        using (pipe.ReadEnd)
        using (pipe.WriteEnd)
            Assert.Throws<PacketException>(() => SealedMemory.Read(pipe.ReadEnd, 10));
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private SequencedPacketSocket Listen() => SequencedPacketSocket.Listen(SocketPath, MaxBytes, UnixFileMode.UserRead | UnixFileMode.UserWrite, group: null);

    private async Task<(SequencedPacketSocket Own, SequencedPacketSocket Other)> ConnectAsync()
    {
        using SequencedPacketSocket listener = Listen();
        SequencedPacketSocket own = await SequencedPacketSocket.ConnectAsync(SocketPath, MaxBytes, CancellationToken.None);
        return (own, await listener.AcceptAsync(CancellationToken.None));
    }

    private int DescriptorsOf(string name) => Directory.EnumerateFiles("/proc/self/fd").Count(file => LinkOf(file) == Path.Combine(_directory, name));

    private static string? LinkOf(string file)
    {
        try
        {
            return new FileInfo(file).LinkTarget;
        }
        catch (IOException)
        {
            return null; // closed meanwhile
        }
    }
}
