using System.Net.Sockets;
using Microsoft.Win32.SafeHandles;
using Tcpcp.Core;

namespace Tcpcp.Samples.FileServer;

/// <summary>
/// One connection: reads requests and uploads and writes responses on a thread of its own, with a socket that never blocks. So it can stop between any
/// two calls and knows then exactly which bytes the kernel has taken, and that those it got from it are in the file: a cancelled asynchronous send
/// would not say.
/// </summary>
internal sealed class ClientConnection
{
    private const int ChunkBytes = 128 * 1024;
    private const int PollMicroseconds = 10_000;

    private readonly string _root;
    private readonly bool _takesUploads;
    private readonly Socket _socket;
    private readonly Action<ClientConnection> _ended;
    private readonly byte[] _chunk = new byte[ChunkBytes];
    private readonly byte[] _input = new byte[HttpRequest.MaxHeadBytes];
    private int _received;
    private HttpResponse? _response;
    private HttpUpload? _upload;
    private SafeFileHandle? _file;
    private UnfinishedFile? _unfinished;
    private volatile bool _quiescing;
    private volatile bool _closed;
    private Task _running = Task.CompletedTask;

    public ClientConnection(
        string root, bool takesUploads, FourTuple connection, Socket socket, ConnectionState? state, ulong epoch, Action<ClientConnection> ended)
    {
        _root = root;
        _takesUploads = takesUploads;
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
        _upload = state.Upload;
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
        CloseFiles(); // the other host opens them
        return new ConnectionState(_input[.._received], _response, _upload).Serialize();
    }

    private void Run()
    {
        try
        {
            while (!_quiescing)
            {
                bool goesOn = _response is not null ? WriteResponse() : _upload is not null ? ReadUpload() : ReadRequest();
                if (goesOn)
                    continue;
                Close();
                return;
            }
        }
        catch (Exception e) when (e is SocketException or IOException or UnauthorizedAccessException)
        {
            Close();
        }
    }

    private bool ReadRequest()
    {
        HttpRequest? request = HttpRequest.TryParse(_input.AsSpan(0, _received), out int consumed);
        if (request is not null || consumed > 0 || _received == _input.Length)
        {
            if (request is { Method: "PUT" } && _takesUploads)
                (_upload, _response) = HttpUpload.Begin(request, _root);
            else
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

    private bool ReadUpload()
    {
        HttpUpload upload = _upload!;
        _unfinished ??= UnfinishedFile.Open(_root, upload);
        if (upload.IsComplete)
        {
            _unfinished.Finish();
            (_unfinished, _upload) = (null, null);
            _response = HttpResponse.Plain("201 Created", upload.KeepAlive);
            return true;
        }

        int wanted = (int)Math.Min(ChunkBytes, upload.Length - upload.Position);
        int count = Math.Min(wanted, _received); // what came with the head, or with the state of another host
        if (count > 0)
        {
            _unfinished.Write(_input.AsSpan(0, count), upload.Position);
            _input.AsSpan(count, _received - count).CopyTo(_input);
            _received -= count;
        }
        else
        {
            count = _socket.Receive(_chunk.AsSpan(0, wanted), SocketFlags.None, out SocketError error);
            if (error == SocketError.WouldBlock)
                return _socket.Poll(PollMicroseconds, SelectMode.SelectRead) || true;
            if (error != SocketError.Success || count == 0)
                return false;
            _unfinished.Write(_chunk.AsSpan(0, count), upload.Position);
        }

        _upload = upload with { Position = upload.Position + count };
        return true;
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

    private void CloseFiles()
    {
        _file?.Dispose();
        _unfinished?.Dispose();
        (_file, _unfinished) = (null, null);
    }

    private void Close()
    {
        _closed = true;
        _unfinished?.Discard();
        CloseFiles();
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
