using System.Globalization;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Tcpcp.Linux.Processes;
using Tcpcp.Linux.UnixSockets;

namespace Tcpcp.Linux.Tests.UnixSockets;

/// <summary>Limits the open files of this process: nothing else may run meanwhile.</summary>
[CollectionDefinition(nameof(OpenFileLimitTests), DisableParallelization = true)]
[Collection(nameof(OpenFileLimitTests))]
public sealed class OpenFileLimitTests
{
    private const int Sent = 40;
    private const int Room = 10;

    [Fact]
    public async Task Descriptors_for_which_there_is_no_room_are_an_error_and_those_that_came_are_closed()
    {
        string path = $"/dev/shm/tcpcp-test-{Guid.NewGuid():N}.sock";
        using SequencedPacketSocket listener = SequencedPacketSocket.Listen(path, 100, UnixFileMode.UserRead | UnixFileMode.UserWrite, group: null);
        using SequencedPacketSocket own = await SequencedPacketSocket.ConnectAsync(path, 100, CancellationToken.None);
        using SequencedPacketSocket other = await listener.AcceptAsync(CancellationToken.None);
        await using ChildProcess limiter = ChildProcess.Start("/usr/bin/python3", ["-c", """
            import resource, sys
            process, room = int(sys.argv[1]), int(sys.argv[2])
            before = resource.prlimit(process, resource.RLIMIT_NOFILE, (room, resource.prlimit(process, resource.RLIMIT_NOFILE)[1]))
            print("limited", flush=True)
            sys.stdin.readline()
            resource.prlimit(process, resource.RLIMIT_NOFILE, before)
            """, Text(Environment.ProcessId), Text(LimitWithRoom())], new ChildOptions { Input = ChildInput.Pipe });
        try
        {
            await Eventually.Equal(expected: true, () => limiter.Output!.Text.Contains("limited", StringComparison.Ordinal));
            using SafeFileHandle file = File.OpenHandle("/dev/zero");
            Assert.True(own.TrySend([1], [.. Enumerable.Repeat(file, Sent)]));
            PacketException e = await Assert.ThrowsAsync<PacketException>(() => other.ReceiveAsync(CancellationToken.None).AsTask());
            Assert.Contains("RLIMIT_NOFILE", e.Message, StringComparison.Ordinal);
            Assert.Equal(1, Directory.EnumerateFiles("/proc/self/fd").Count(one => new FileInfo(one).LinkTarget == "/dev/zero"));
        }
        finally
        {
            await limiter.Input!.WriteAsync(Encoding.ASCII.GetBytes("\n"));
            await limiter.Input.FlushAsync();
            await limiter.Exit;
        }
    }

    // The numbers below a limit have gaps.
    private static int LimitWithRoom()
    {
        HashSet<int> open = [.. Directory.EnumerateFiles("/proc/self/fd").Select(file => int.Parse(Path.GetFileName(file), CultureInfo.InvariantCulture))];
        int limit = 0;
        for (int free = 0; free < Room; limit++)
            free += open.Contains(limit) ? 0 : 1;
        return limit;
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
