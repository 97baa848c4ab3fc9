using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Tcpcp.Check.Tests.Wire;

namespace Tcpcp.Check.Tests;

/// <summary>The real kernel's connections, captured by tcpdump on the loopback interface: healthy, so nothing may be found.</summary>
public sealed class LoopbackTests
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    public async Task Transfer_over_the_loopback_interface_is_clean(string address)
    {
        string path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName() + ".pcap");
        using Socket listener = new(IPAddress.Parse(address).AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Parse(address), 0));
        listener.Listen();
        IPEndPoint service = (IPEndPoint)listener.LocalEndPoint!;
        using Process tcpdump = await StartTcpdumpAsync(path, service.Port);
        try
        {
            int peerPort = await TransferAsync(listener, service);
            await WaitForMarkerAsync(path, service, peerPort);
            CaptureReport report = CaptureJudge.Judge(path, new JudgeOptions { Peer = service.Address, PeerPort = peerPort,
                ExpectedBytes = 3_000_000 });

            ConnectionReport connection = Assert.Single(report.Connections);
            Assert.Empty(connection.Findings);
            Assert.Equal(Verdict.Clean, report.Verdict);
            Assert.Equal(3_000_000, connection.Service.StreamBytes);
            Assert.Equal(2_000_000, connection.Peer.StreamBytes);
            Assert.True(connection.HasServiceFin);
        }
        finally
        {
            tcpdump.Kill();
            await tcpdump.WaitForExitAsync();
            File.Delete(path);
        }
    }

    private static async Task<Process> StartTcpdumpAsync(string path, int port)
    {
        ProcessStartInfo start = new("tcpdump", ["-i", "lo", "-U", "--immediate-mode", "-B", "65536", "-w", path, "tcp", "port",
            port.ToString(CultureInfo.InvariantCulture)])
        {
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        Process? process = null;
        try
        {
            process = Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Skip("tcpdump is missing: apt-get install tcpdump.");
        }
        using CancellationTokenSource limit = new(s_limit);
        string said = "";
        while (!said.Contains("listening on", StringComparison.Ordinal))
        {
            string? line = await process!.StandardError.ReadLineAsync(limit.Token);
            if (line is null)
                Assert.Skip($"tcpdump cannot capture here: {said}");
            said += line;
        }
        return process!;
    }

    private static async Task<int> TransferAsync(Socket listener, IPEndPoint service)
    {
        using Socket peer = new(service.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        Task<Socket> accepting = listener.AcceptAsync();
        await peer.ConnectAsync(service);
        using Socket accepted = await accepting;
        int port = ((IPEndPoint)peer.LocalEndPoint!).Port;
        await Task.WhenAll(SendAsync(accepted, 3_000_000), SendAsync(peer, 2_000_000), ReceiveAsync(accepted),
            ReceiveAsync(peer)).WaitAsync(s_limit);
        return port;
    }

    private static async Task SendAsync(Socket socket, int length)
    {
        byte[] bytes = Conversation.Bytes(0, length);
        for (int sent = 0; sent < length;)
            sent += await socket.SendAsync(bytes.AsMemory(sent));
        socket.Shutdown(SocketShutdown.Send);
    }

    private static async Task ReceiveAsync(Socket socket)
    {
        byte[] buffer = new byte[65_536];
        while (await socket.ReceiveAsync(buffer) > 0)
        {
        }
    }

    // tcpdump writes with a delay: another connection's SYN after the transfer marks where the file is complete.
    private static async Task WaitForMarkerAsync(string path, IPEndPoint service, int peerPort)
    {
        int markers = 0;
        for (Stopwatch watch = Stopwatch.StartNew(); watch.Elapsed < s_limit;)
        {
            using Socket marker = new(service.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            await marker.ConnectAsync(service);
            markers++;
            try
            {
                CaptureReport report = CaptureJudge.Judge(path, new JudgeOptions { Peer = service.Address });
                if (report.Connections.Any(connection => connection.Connection.Peer.Port != peerPort))
                    return;
            }
            catch (Capture.CaptureFormatException)
            {
                // in the middle of a packet; the next marker comes behind it
            }
        }
        Assert.Fail($"tcpdump wrote none of {markers} markers.");
    }
}
