using System.Net.Sockets;
using Microsoft.Win32.SafeHandles;
using Tcpcp.Core;

namespace Tcpcp.Samples.FileServer;

/// <summary>
/// One connection: reads requests and writes responses on a thread of its own, with a socket that never blocks. So it can stop between any two calls
/// and knows then exactly which bytes the kernel has taken: a cancelled asynchronous send would not say.
/// </summary>
internal sealed class Download
{
    private const int ChunkBytes = 128 * 1024;
    private const int PollMicroseconds = 10_000;

    private readonly string _root;
    private readonly Socket _socket;
    private readonly Action<Download> _ended;
    private readonly byte[] _chunk = new byte[ChunkBytes];
    private readonly byte[] _input = new byte[HttpRequest.MaxHeadBytes];
    private int _received;
    private HttpResponse? _response;
    private SafeFileHandle? _file;
    private volatile bool _quiescing;
    private volatile bool _closed;
    private Task _running = Task.CompletedTask;

    public Download(string root, FourTuple connection, Socket socket, DownloadState? state, ulong epoch, Action<Download> ended)
    {
        _root = root;
        Connection = connection;
        _socket = socket;
        _socket.Blocking = false;
        Epoch = epoch;
        _ended = ended;
        if (state is null)
            return;
        state.Received.CopyTo(_input, 0);
        _received = state.Received.Length;
        _response = state.Response;
    }

    public FourTuple Connection { get; }

    public Socket Socket => _socket;

    /// <summary>Number of the redirection that brought the connection here.</summary>
    public ulong Epoch { get; }

    /// <summary>Bytes written by this server, in this process.</summary>
    public long BytesWritten { get; private set; }

    /// <summary>The connection has ended.</summary>
    public bool IsClosed => _closed;

    public void Start()
    {
        if (_closed)
            return;
        _quiescing = false;
        _running = Task.Factory.StartNew(Run, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <summary>Stops reading and writing and gives the state; <see cref="Start"/> goes on.</summary>
    public async ValueTask<ReadOnlyMemory<byte>> QuiesceAsync()
    {
        _quiescing = true;
        await _running;
        return new DownloadState(_input[.._received], _response).Serialize();
    }

    private void Run()
    {
        try
        {
            while (!_quiescing)
            {
                bool goesOn = _response is null ? ReadRequest() : WriteResponse();
                if (goesOn)
                    continue;
                Close();
                return;
            }
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            Close();
        }
    }

    private bool ReadRequest()
    {
        HttpRequest? request = HttpRequest.TryParse(_input.AsSpan(0, _received), out int consumed);
        if (request is not null || consumed > 0 || _received == _input.Length)
        {
            _response = HttpResponse.To(request, _root);
            _input.AsSpan(consumed, _received - consumed).CopyTo(_input);
            _received -= consumed;
            return true;
        }

        int count = _socket.Receive(_input.AsSpan(_received), SocketFlags.None, out SocketError error);
        if (error == SocketError.WouldBlock)
            return _socket.Poll(PollMicroseconds, SelectMode.SelectRead) || true;
        _received += count;
        return error == SocketError.Success && count > 0;
    }

    private bool WriteResponse()
    {
        HttpResponse response = _response!;
        if (response.IsComplete)
        {
            _file?.Dispose();
            (_file, _response) = (null, null);
            return response.KeepAlive;
        }

        ReadOnlySpan<byte> bytes = response.Head.Length > 0 ? response.Head : ReadFile(response);
        int count = _socket.Send(bytes, SocketFlags.None, out SocketError error);
        if (error == SocketError.WouldBlock)
            return _socket.Poll(PollMicroseconds, SelectMode.SelectWrite) || true;
        if (error != SocketError.Success)
            return false;
        BytesWritten += count;
        _response = response.Head.Length > 0 ? response with { Head = response.Head[count..] } : response with { Position = response.Position + count };
        return true;
    }

    private ReadOnlySpan<byte> ReadFile(HttpResponse response)
    {
        _file ??= File.OpenHandle(Path.Combine(_root, response.File!), options: FileOptions.SequentialScan);
        int wanted = (int)Math.Min(ChunkBytes, response.End - response.Position);
        int read = RandomAccess.Read(_file, _chunk.AsSpan(0, wanted), response.Position);
        return read > 0 ? _chunk.AsSpan(0, read) : throw new IOException($"{response.File} has become shorter while it was sent.");
    }

    private void Close()
    {
        _closed = true;
        _file?.Dispose();
        try
        {
            _socket.Shutdown(SocketShutdown.Send);
        }
        catch (SocketException)
        {
            // the client was faster
        }

        _socket.Dispose();
        _ended(this);
    }
}
