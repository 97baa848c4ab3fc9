using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Tcpcp.Core;
using Tcpcp.Lab;
using Tcpcp.Linux.Processes;

namespace Tcpcp.EndToEnd.Tests;

/// <summary>A host with connections of this process on which the command runs.</summary>
public sealed class InspectedHost : IAsyncLifetime
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    private LabNetwork _lab = null!;

    internal Host Host { get; private set; } = null!;

    internal Host Other { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        _lab = await LabNetwork.CreateAsync();
        Host = _lab.AddHost("host", "10.0.0.1/24");
        Other = _lab.AddHost("other", "10.0.0.2/24");
    }

    public ValueTask DisposeAsync() => _lab.DisposeAsync();

    /// <summary>Two connected sockets on the host's loopback interface; a v4-mapped address makes IPv6 sockets that carry IPv4.</summary>
    internal (Socket Client, Socket Server) Connect(string address = "127.0.0.1")
    {
        IPAddress parsed = IPAddress.Parse(address);
        using Socket listener = MakeSocket(parsed.AddressFamily);
        listener.Bind(new IPEndPoint(parsed, 0));
        listener.Listen();
        Socket client = MakeSocket(parsed.AddressFamily);
        client.Connect(listener.LocalEndPoint!);
        return (client, listener.Accept());
    }

    internal static FourTuple EndsOf(Socket socket) => new((IPEndPoint)socket.LocalEndPoint!, (IPEndPoint)socket.RemoteEndPoint!);

    /// <summary>pid:PID/FD of a socket of this process.</summary>
    internal static string DescriptorOf(Socket socket) =>
        string.Create(CultureInfo.InvariantCulture, $"pid:{Environment.ProcessId}/{socket.Handle}");

    internal async Task<(int ExitCode, string Output, string Error)> RunAsync(params string[] arguments) => await RunAsync(Host, Command.Path, arguments);

    internal static async Task<(int ExitCode, string Output, string Error)> RunAsync(Host host, string program, params string[] arguments)
    {
        await using ChildProcess process = host.Start(program, arguments);
        int exitCode = await process.Exit.WaitAsync(s_limit);
        return (exitCode, await process.Output!.Completed.WaitAsync(s_limit), await process.ErrorOutput!.Completed.WaitAsync(s_limit));
    }

    /// <summary>Runs the command with --json; all of standard output is one JSON value.</summary>
    internal async Task<JsonElement> JsonAsync(params string[] arguments)
    {
        (int exitCode, string output, string error) = await RunAsync([.. arguments, "--json"]);
        Assert.True(exitCode == 0, output + error);
        return JsonDocument.Parse(output).RootElement;
    }

    private Socket MakeSocket(AddressFamily family) => Host.Run(() =>
    {
        Socket socket = new(family, SocketType.Stream, ProtocolType.Tcp);
        if (family == AddressFamily.InterNetworkV6)
            socket.DualMode = true;
        return socket;
    });
}
