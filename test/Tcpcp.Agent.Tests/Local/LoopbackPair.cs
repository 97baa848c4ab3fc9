using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Tcpcp.Core;

namespace Tcpcp.Agent.Tests.Local;

/// <summary>A TCP connection on loopback: an application's end and its peer's.</summary>
internal sealed class LoopbackPair : IDisposable
{
    private readonly string _inode;

    private LoopbackPair(Socket own, Socket peer)
    {
        (Own, Peer) = (own, peer);
        _inode = LinkOf((int)own.Handle);
        Name = new FourTuple((IPEndPoint)own.LocalEndPoint!, (IPEndPoint)own.RemoteEndPoint!);
    }

    public Socket Own { get; }

    public Socket Peer { get; }

    public FourTuple Name { get; }

    /// <summary>How many descriptors of the own socket this process has.</summary>
    public int Descriptors => Directory.EnumerateFiles("/proc/self/fd").Count(file => LinkOf(int.Parse(Path.GetFileName(file), CultureInfo.InvariantCulture)) == _inode);

    public static LoopbackPair Connect()
    {
        using Socket listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        Socket peer = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        peer.Connect(listener.LocalEndPoint!);
        return new LoopbackPair(listener.Accept(), peer);
    }

    /// <summary>What the peer reads: 0 for the FIN, -1 for a reset.</summary>
    public async Task<int> PeerReadsAsync()
    {
        try
        {
            return await Peer.ReceiveAsync(new byte[16], SocketFlags.None).WaitAsync(TimeSpan.FromSeconds(20));
        }
        catch (SocketException)
        {
            return -1;
        }
    }

    public void Dispose()
    {
        Own.Dispose();
        Peer.Dispose();
    }

    private static string LinkOf(int descriptor)
    {
        try
        {
            return new FileInfo(string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{descriptor}")).LinkTarget ?? "";
        }
        catch (IOException)
        {
            return ""; // closed meanwhile
        }
    }
}
