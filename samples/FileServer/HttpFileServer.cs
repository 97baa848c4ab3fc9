using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Tcpcp.Client;
using Tcpcp.Core;

namespace Tcpcp.Samples.FileServer;

/// <summary>Serves the files below a directory, and passes its connections to the same server on another host.</summary>
internal sealed class HttpFileServer : IConnectionReceiver
{
    /// <summary>The name under which agents know it.</summary>
    public const string Application = "file-server";

    private const int SOL_SOCKET = 1; // asm-generic/socket.h
    private const int SO_MAX_PACING_RATE = 47;

    private readonly string _root;
    private readonly ulong? _bytesPerSecond;
    private readonly bool _takesUploads;
    private readonly ConcurrentDictionary<FourTuple, ClientConnection> _connections = new();

    /// <param name="root">Directory with the files. Every host must have the same; with uploads it must be one directory that they share.</param>
    /// <param name="bytesPerSecond">Limit of what is sent on each connection.</param>
    /// <param name="takesUploads">PUT makes or replaces files.</param>
    public HttpFileServer(string root, ulong? bytesPerSecond, bool takesUploads)
    {
        _root = Path.TrimEndingDirectorySeparator(Path.GetFullPath(root));
        _bytesPerSecond = bytesPerSecond;
        _takesUploads = takesUploads;
    }

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

    public IReadOnlyList<PassOrder> FindConnections(IReadOnlyList<FourTuple> wanted) =>
    [
        .. _connections.Values.Where(client => !client.IsClosed && (wanted.Count == 0 || wanted.Contains(client.Connection))).Select(client => new PassOrder
        {
            Sockets = [client.Socket],
            Application = Application,
            Epoch = client.Epoch,
            QuiesceAsync = _ => client.QuiesceAsync(),
            Resume = client.Start,
            Concluded = result =>
            {
                if (result.Owner is ConnectionOwner.Destination or ConnectionOwner.Nobody)
                    _connections.TryRemove(KeyValuePair.Create(client.Connection, client));
            },
        }),
    ];

    public ValueTask<string?> ExamineAsync(ArrivingConnections arriving, CancellationToken cancellationToken) => ValueTask.FromResult(FindObjection(arriving));

    private string? FindObjection(ArrivingConnections arriving)
    {
        if (arriving.Connections.Count != 1)
            return "A download or upload has one connection.";
        try
        {
            ConnectionState state = ConnectionState.Deserialize(arriving.State);
            if (state.Received.Length > HttpRequest.MaxHeadBytes)
                return "More request bytes came than this server takes.";
            if (state.Upload is { } upload)
                return _takesUploads ? UnfinishedFile.FindObstacle(_root, upload) : "This host takes no uploads: start it with --allow-uploads.";
            return state.Response?.File is { } file && !File.Exists(Path.Combine(_root, file)) ? $"This host has no file '{file}'." : null;
        }
        catch (JsonException e)
        {
            return $"The state is not a file server's: {e.Message}";
        }
    }

    public void Go(ArrivingConnections arriving, IReadOnlyList<Socket?> sockets)
    {
        if (sockets is [{ } socket])
            Begin(arriving.Connections[0], socket, ConnectionState.Deserialize(arriving.State), arriving.Epoch);
    }

    private void Begin(FourTuple connection, Socket socket, ConnectionState? state, ulong epoch)
    {
        ClientConnection client = new(
            _root, _takesUploads, connection, socket, state, epoch, ended => _connections.TryRemove(KeyValuePair.Create(ended.Connection, ended)));
        _connections[connection] = client;
        client.Start();
    }
}
