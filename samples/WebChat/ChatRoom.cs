using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using Tcpcp.AspNetCore;

namespace Tcpcp.Samples.WebChat;

/// <summary>Everybody who is on this host. Each one's messages are numbered by the server, and the numbers go on when the WebSocket goes to another host.</summary>
internal sealed class ChatRoom(IConfiguration configuration)
{
    private readonly ConcurrentDictionary<Participant, byte> _participants = [];

    /// <summary>What clients are told that they talk with.</summary>
    public string Host { get; } = configuration["Host"] ?? Environment.MachineName;

    public async Task ServeAsync(HttpContext context)
    {
        if (!context.IsPassableWebSocketRequest())
        {
            context.Response.StatusCode = StatusCodes.Status400BadRequest;
            return;
        }

        using Participant participant = new();
        await participant.OpenAsync(context);
        _participants[participant] = 0;
        try
        {
            byte[] buffer = new byte[4096];
            while (await participant.Socket.ReceiveAsync(buffer.AsMemory(), context.RequestAborted) is { MessageType: not WebSocketMessageType.Close } message)
                await SayAsync(Encoding.UTF8.GetString(buffer, 0, message.Count));
            await participant.Socket.CloseAsync(WebSocketCloseStatus.NormalClosure, statusDescription: null, context.RequestAborted);
        }
        finally
        {
            _participants.TryRemove(participant, out _);
        }
    }

    /// <summary>To everybody here.</summary>
    public Task SayAsync(string text) => Task.WhenAll(_participants.Keys.Select(one => one.SayAsync(Host, text)));

    private sealed class Participant : IDisposable
    {
        private readonly SemaphoreSlim _turn = new(1); // whoever has it may take a number and send it: so the state never lies between both
        private readonly CancellationTokenSource _ending = new();
        private long _next = 1;

        public PassableWebSocket Socket { get; private set; } = null!;

        public async Task OpenAsync(HttpContext context)
        {
            Socket = await context.AcceptPassableWebSocketAsync(new PassableWebSocketOptions
            {
                GetStateAsync = async cancellationToken =>
                {
                    await _turn.WaitAsync(cancellationToken);
                    byte[] state = new byte[sizeof(long)];
                    BinaryPrimitives.WriteInt64BigEndian(state, _next);
                    return state;
                },
                Resume = () => _turn.Release(),
                DangerousEnableCompression = true, // nothing here is secret
            });
            if (Socket.IsResumed)
                _next = BinaryPrimitives.ReadInt64BigEndian(Socket.HandlerState.Span);
        }

        public async Task SayAsync(string host, string text)
        {
            try
            {
                await _turn.WaitAsync(_ending.Token);
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
            {
                return; // gone, or at another host
            }

            try
            {
                byte[] message = JsonSerializer.SerializeToUtf8Bytes(new { Number = _next, Host = host, Text = text }, JsonSerializerOptions.Web);
                _next++;
                await Socket.SendAsync(message.AsMemory(), WebSocketMessageType.Text, endOfMessage: true, _ending.Token);
            }
            catch (Exception e) when (e is WebSocketException or OperationCanceledException or ObjectDisposedException)
            {
                // Its own loop ends it.
            }
            finally
            {
                _turn.Release();
            }
        }

        // The semaphore needs no disposal, and somebody may be leaving it.
        public void Dispose()
        {
            _ending.Cancel();
            _ending.Dispose();
        }
    }
}
