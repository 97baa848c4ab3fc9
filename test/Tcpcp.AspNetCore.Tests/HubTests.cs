using System.IO.Pipelines;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.DependencyInjection;
using Tcpcp.AspNetCore.Tests.Labs;
using Tcpcp.EndToEnd.Tests.Agents;

namespace Tcpcp.AspNetCore.Tests;

/// <summary>How far the public API of SignalR lets a hub's connection go on: its id and its protocol do, what the hub keeps of it does not.</summary>
public sealed class HubTests(LabCertificates certificates)
{
    private const char RecordSeparator = '\u001e';

    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task A_hub_takes_a_connection_that_came_under_its_id_and_knows_nothing_else_of_it()
    {
        await using WebLab lab = await WebLab.StartAsync(certificates, (app, host) => app.Map("/hub", (HttpContext context) => BridgeAsync(context)),
            configureServices: services => services.AddSignalR());
        using ClientWebSocket client = await lab.ConnectWebSocketAsync("hub");
        Assert.Equal("{}", await AskAsync(client, """{"protocol":"json","version":1}"""));
        string[] first = await InvokeAsync(client, "1");
        Assert.Equal("", first[1]);
        await lab.DrainAsync(lab.Agents.A);
        string[] second = await InvokeAsync(client, "2");
        Assert.Equal(first[0], second[0]);
        Assert.Equal("", second[1]); // and not "seen": its items are gone
        await lab.AssertNothingWasNoticedAsync();
    }

    private static async Task<string[]> InvokeAsync(ClientWebSocket client, string id)
    {
        string answer = await AskAsync(client, $$"""{"type":1,"invocationId":"{{id}}","target":"Remember","arguments":[]}""");
        return [.. JsonDocument.Parse(answer).RootElement.GetProperty("result").EnumerateArray().Select(one => one.GetString()!)];
    }

    private static async Task<string> AskAsync(ClientWebSocket client, string record)
    {
        await client.SendAsync(Encoding.UTF8.GetBytes(record + RecordSeparator), WebSocketMessageType.Text, endOfMessage: true, default);
        byte[] buffer = new byte[4096];
        ValueWebSocketReceiveResult result = await client.ReceiveAsync(buffer.AsMemory(), default).AsTask().WaitAsync(s_limit);
        return Encoding.UTF8.GetString(buffer, 0, result.Count).TrimEnd(RecordSeparator);
    }

    // A hub's connection over a WebSocket that can be passed: at the destination the hub reads the handshake again, and its answer is dropped.
    private static async Task BridgeAsync(HttpContext context)
    {
        string id = Guid.NewGuid().ToString("N");
        byte[] handshake = [];
        using PassableWebSocket socket = await context.AcceptPassableWebSocketAsync(new PassableWebSocketOptions
        {
            GetStateAsync = _ => new(JsonSerializer.SerializeToUtf8Bytes(new HubState(id, handshake))),
        });
        Pipe toHub = new(), fromHub = new();
        bool isAnswered = !socket.IsResumed;
        if (socket.IsResumed)
        {
            (id, handshake) = JsonSerializer.Deserialize<HubState>(socket.HandlerState.Span)!;
            await toHub.Writer.WriteAsync(handshake);
        }

        DefaultConnectionContext connection = new(id, new Duplex(toHub.Reader, fromHub.Writer), new Duplex(fromHub.Reader, toHub.Writer));
        Task hub = context.RequestServices.GetRequiredService<HubConnectionHandler<Memory>>().OnConnectedAsync(connection);
        Task answering = AnswerAsync(socket, fromHub.Reader, isAnswered);
        byte[] buffer = new byte[4096];
        try
        {
            while (await socket.ReceiveAsync(buffer.AsMemory(), context.RequestAborted) is { MessageType: not WebSocketMessageType.Close } message)
            {
                if (handshake.Length == 0)
                    handshake = buffer[..message.Count];
                await toHub.Writer.WriteAsync(buffer.AsMemory(0, message.Count));
            }
        }
        finally
        {
            await toHub.Writer.CompleteAsync();
            await hub;
            await fromHub.Writer.CompleteAsync();
            await answering;
        }
    }

    private static async Task AnswerAsync(PassableWebSocket socket, PipeReader fromHub, bool isAnswered)
    {
        while (await fromHub.ReadAsync() is { } result && !(result.IsCompleted && result.Buffer.IsEmpty))
        {
            foreach (ReadOnlyMemory<byte> memory in result.Buffer)
            {
                if (isAnswered && socket.State == WebSocketState.Open)
                    await socket.SendAsync(memory, WebSocketMessageType.Text, endOfMessage: true, default);
                isAnswered = true;
            }

            fromHub.AdvanceTo(result.Buffer.End);
        }
    }

    private sealed record HubState(string Id, byte[] Handshake);

    private sealed record Duplex(PipeReader Input, PipeWriter Output) : IDuplexPipe;

    /// <summary>Says its connection's id, and what it has remembered of it.</summary>
    internal sealed class Memory : Hub
    {
        public string[] Remember()
        {
            string seen = Context.Items.TryAdd("seen", "seen") ? "" : "seen";
            return [Context.ConnectionId, seen];
        }
    }
}
