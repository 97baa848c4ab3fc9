using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Tcpcp.Agent.Passing;
using Tcpcp.Core;

namespace Tcpcp.Samples.FileServer;

/// <summary>Serves the files below a directory, and passes its connections to the same server on another host.</summary>
internal sealed class DownloadServer : IPassReceiver
{
    private const int SOL_SOCKET = 1; // asm-generic/socket.h
    private const int SO_MAX_PACING_RATE = 47;

    private readonly string _root;
    private readonly ulong? _bytesPerSecond;
    private readonly ConcurrentDictionary<FourTuple, Download> _downloads = new();

    /// <param name="root">Directory with the files; every host must have the same.</param>
    /// <param name="bytesPerSecond">Limit for each connection.</param>
    public DownloadServer(string root, ulong? bytesPerSecond)
    {
        _root = Path.GetFullPath(root);
        _bytesPerSecond = bytesPerSecond;
    }

    public string Application => "file-server";

    public async Task ServeAsync(IPEndPoint endPoint, CancellationToken cancellationToken)
    {
        using Socket listener = new(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(endPoint);
        listener.Listen(512);
        while (true)
        {
            Socket socket = await listener.AcceptAsync(cancellationToken);
            if (_bytesPerSecond is { } rate)
                socket.SetRawSocketOption(SOL_SOCKET, SO_MAX_PACING_RATE, BitConverter.GetBytes(rate));
            Begin(new FourTuple((IPEndPoint)socket.LocalEndPoint!, (IPEndPoint)socket.RemoteEndPoint!), socket, state: null, epoch: 0);
        }
    }

    /// <summary>Passes every connection, one after the other.</summary>
    public async Task<IReadOnlyList<(FourTuple Connection, PassResult Result)>> PassAllAsync(PassAgent agent, IPEndPoint destination)
    {
        List<(FourTuple, PassResult)> results = [];
        foreach (Download download in _downloads.Values.Where(download => !download.IsClosed))
        {
            PassResult result = await agent.PassAsync(
                new PassRequest
                {
                    Socket = download.Socket,
                    Application = Application,
                    Epoch = download.Epoch,
                    QuiesceAsync = _ => download.QuiesceAsync(),
                    Resume = download.Start,
                },
                destination, CancellationToken.None);
            if (result.Owner is ConnectionOwner.Destination or ConnectionOwner.Nobody)
                _downloads.TryRemove(KeyValuePair.Create(download.Connection, download));
            results.Add((download.Connection, result));
        }

        return results;
    }

    public string? Examine(Arrival arrival)
    {
        try
        {
            DownloadState state = DownloadState.Deserialize(arrival.State);
            if (state.Received.Length > HttpRequest.MaxHeadBytes)
                return "More request bytes came than this server takes.";
            return state.Response?.File is { } file && !File.Exists(Path.Combine(_root, file)) ? $"This host has no file '{file}'." : null;
        }
        catch (JsonException e)
        {
            return $"The state is not a file server's: {e.Message}";
        }
    }

    public void Go(Arrival arrival, Socket socket) => Begin(arrival.Connection, socket, DownloadState.Deserialize(arrival.State), arrival.Epoch);

    private void Begin(FourTuple connection, Socket socket, DownloadState? state, ulong epoch)
    {
        Download download = new(_root, connection, socket, state, epoch, ended => _downloads.TryRemove(KeyValuePair.Create(ended.Connection, ended)));
        _downloads[connection] = download;
        download.Start();
    }
}
