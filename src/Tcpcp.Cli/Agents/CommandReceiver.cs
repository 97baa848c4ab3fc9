using System.Globalization;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Tcpcp.Client;
using Tcpcp.Core;
using Tcpcp.Linux;
using Tcpcp.Linux.Processes;

namespace Tcpcp.Cli.Agents;

/// <summary>Starts a program for the connections of each pass that arrives. Until the word to go this process holds them.</summary>
/// <param name="inetd">The program gets the connection as standard input and output, else as descriptors from 3 on.</param>
/// <param name="say">Hears what happens, in sentences.</param>
internal sealed class CommandReceiver(string program, IReadOnlyList<string> arguments, bool inetd, Action<string> say) : IConnectionReceiver
{
    // Becomes the program: the number of the process stays, and the program finds it in LISTEN_PID.
    private static readonly string[] s_becoming = ["-c", "export LISTEN_PID=$$; exec \"$0\" \"$@\""];

    public ValueTask<string?> ExamineAsync(ArrivingConnections arriving, CancellationToken cancellationToken) => ValueTask.FromResult(
        arriving.State.Length > 0 ? $"'{program}' is started for connections without an application's state, and these come with {arriving.State.Length} bytes."
        : inetd && arriving.Connections.Count > 1 ? $"'{program}' takes one connection (--inetd), and {arriving.Connections.Count} come together."
        : FindObstacle());

    public void Go(ArrivingConnections arriving, IReadOnlyList<Socket?> sockets)
    {
        SafeHandle[] alive = [.. sockets.OfType<Socket>().Select(socket => socket.SafeHandle)];
        try
        {
            if (alive.Length > 0)
                Start(arriving, alive);
        }
        catch (Exception e) when (e is KernelException or ProcessException)
        {
            say($"{arriving.Connections[0]}: {program} could not be started, so the connection is closed: {e.Message}");
        }
        finally
        {
            foreach (Socket? socket in sockets)
                socket?.Dispose();
        }
    }

    private void Start(ArrivingConnections arriving, SafeHandle[] sockets)
    {
        FourTuple first = arriving.Connections[0];
        ChildProcess child = ChildProcess.Start("/bin/sh", [.. s_becoming, program, .. arguments], new ChildOptions
        {
            Descriptors = inetd ? [] : sockets,
            StandardStreams = inetd ? sockets[0] : null,
            Output = ChildOutput.Inherited,
            ErrorOutput = ChildOutput.Inherited,
            Environment = new Dictionary<string, string>(StringComparer.Ordinal)
            {
                ["LISTEN_FDS"] = (inetd ? 0 : sockets.Length).ToString(CultureInfo.InvariantCulture),
                ["LISTEN_FDNAMES"] = string.Join(':', sockets.Select(_ => "connection")),
                ["REMOTE_ADDR"] = first.Peer.Address.ToString(),
                ["REMOTE_PORT"] = first.Peer.Port.ToString(CultureInfo.InvariantCulture),
            },
        });
        say($"{string.Join(", ", arriving.Connections)}: came from {arriving.Origin}, process {child.Pid} has it.");
        _ = ReapAsync(child);
    }

    private static async Task ReapAsync(ChildProcess child)
    {
        await child.Exit;
        await child.DisposeAsync();
    }

    private string? FindObstacle()
    {
        try
        {
            ProgramFile.Find(program);
            return null;
        }
        catch (ProcessException e)
        {
            return e.Message;
        }
    }
}
