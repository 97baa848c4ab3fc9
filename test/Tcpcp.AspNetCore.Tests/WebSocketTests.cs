using System.Buffers.Binary;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Tcpcp.AspNetCore.Tests.Labs;
using Tcpcp.EndToEnd.Tests.Agents;

namespace Tcpcp.AspNetCore.Tests;

/// <summary>WebSockets that are passed between two messages.</summary>
public sealed class WebSocketTests(LabCertificates certificates)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);

    [Theory]
    [InlineData("plain")]
    [InlineData("deflate")]
    public async Task A_WebSocket_goes_on_with_its_state(string path)
    {
        await using WebLab lab = await StartAsync();
        using ClientWebSocket client = await lab.ConnectWebSocketAsync(path, "chat", path == "deflate");
        Assert.Equal("1 host-a: first", await AskAsync(client, "first"));
        await lab.DrainAsync(lab.Agents.A);
        Assert.Equal("2 host-b: second", await AskAsync(client, "second"));
        await client.SendAsync("thi"u8.ToArray(), WebSocketMessageType.Text, endOfMessage: false, default);
        await client.SendAsync("rd"u8.ToArray(), WebSocketMessageType.Text, endOfMessage: true, default);
        Assert.Equal("3 host-b: third", await ReceiveAsync(client));
        await lab.DrainAsync(lab.Agents.B);
        Assert.Equal("4 host-a: " + new string('x', 70_000), await AskAsync(client, new string('x', 70_000)));
        await client.CloseAsync(WebSocketCloseStatus.NormalClosure, statusDescription: null, default).WaitAsync(s_limit);
        Assert.Equal("chat", client.SubProtocol);
        await lab.AssertNothingWasNoticedAsync();
    }

    [Fact]
    public async Task Many_messages_of_a_client_that_does_not_wait_are_answered_once_each()
    {
        const int Count = 3000;
        await using WebLab lab = await StartAsync();
        using ClientWebSocket client = await lab.ConnectWebSocketAsync("plain", "chat");
        Task sending = Task.Run(async () =>
        {
            for (int i = 1; i <= Count; i++)
            {
                await client.SendAsync(Encoding.UTF8.GetBytes($"{i}"), WebSocketMessageType.Text, endOfMessage: true, default);
                if (i % 10 == 0)
                    await Task.Delay(1);
            }
        });
        Task passing = lab.BackAndForthAsync(4, connections: 1);
        for (int i = 1; i <= Count; i++)
            Assert.Matches($"^{i} host-[ab]: {i}$", await ReceiveAsync(client));
        await sending;
        await passing;
        await lab.AssertNothingWasNoticedAsync();
    }

    [Fact]
    public async Task Compression_with_context_takeover_is_refused_by_name()
    {
        await using WebLab lab = await StartAsync();
        using ClientWebSocket client = await lab.ConnectWebSocketAsync("takeover", "chat", isDeflated: true);
        Assert.Equal("1 host-a: first", await AskAsync(client, "first"));
        JsonElement outcome = Assert.Single(await lab.DrainAsync(lab.Agents.A, exitCode: 1));
        Assert.Contains("permessage-deflate with context takeover", outcome.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.Equal("2 host-a: second", await AskAsync(client, "second"));
        await lab.AssertNothingWasNoticedAsync();
    }

    [Fact]
    public async Task A_WebSocket_of_UseWebSockets_works_as_ever_and_stays()
    {
        await using WebLab lab = await StartAsync();
        using ClientWebSocket client = await lab.ConnectWebSocketAsync("ordinary", "chat");
        Assert.Equal("first", await AskAsync(client, "first"));
        JsonElement outcome = Assert.Single(await lab.DrainAsync(lab.Agents.A, exitCode: 1));
        Assert.Contains("A request has been under way", outcome.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.Equal("second", await AskAsync(client, "second"));
        await lab.AssertNothingWasNoticedAsync();
    }

    private static async Task<string> AskAsync(ClientWebSocket client, string text)
    {
        await client.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, endOfMessage: true, default);
        return await ReceiveAsync(client);
    }

    private static async Task<string> ReceiveAsync(ClientWebSocket client)
    {
        byte[] buffer = new byte[100_000];
        int length = 0;
        while (true)
        {
            ValueWebSocketReceiveResult result = await client.ReceiveAsync(buffer.AsMemory(length), default).AsTask().WaitAsync(s_limit);
            length += result.Count;
            if (result.EndOfMessage)
                return Encoding.UTF8.GetString(buffer, 0, length);
        }
    }

    private Task<WebLab> StartAsync() => WebLab.StartAsync(certificates, (app, host) =>
    {
        app.UseWebSockets();
        app.Map("/ordinary", async (HttpContext context) =>
        {
            using WebSocket socket = await context.WebSockets.AcceptWebSocketAsync("chat");
            byte[] buffer = new byte[1000];
            while (await socket.ReceiveAsync(buffer.AsMemory(), context.RequestAborted) is { MessageType: not WebSocketMessageType.Close } result)
                await socket.SendAsync(buffer.AsMemory(0, result.Count), result.MessageType, result.EndOfMessage, context.RequestAborted);
        });
        foreach (string path in (string[])["plain", "deflate", "takeover"])
            app.Map($"/{path}", (HttpContext context) => AnswerAsync(context, host, path));
    });

    // Numbers what it answers.
    private static async Task AnswerAsync(HttpContext context, string host, string path)
    {
        int number = 0;
        using PassableWebSocket socket = await context.AcceptPassableWebSocketAsync(new PassableWebSocketOptions
        {
            GetStateAsync = _ =>
            {
                byte[] state = new byte[sizeof(int)];
                BinaryPrimitives.WriteInt32BigEndian(state, number);
                return new(state);
            },
            SubProtocol = "chat",
            DangerousEnableCompression = path != "plain",
            KeepCompressionContext = path == "takeover",
        });
        if (socket.IsResumed)
            number = BinaryPrimitives.ReadInt32BigEndian(socket.HandlerState.Span);
        byte[] buffer = new byte[100_000];
        int length = 0;
        while (await socket.ReceiveAsync(buffer.AsMemory(length), context.RequestAborted) is { MessageType: not WebSocketMessageType.Close } result)
        {
            length += result.Count;
            if (!result.EndOfMessage)
                continue;
            string answer = $"{++number} {host}: {Encoding.UTF8.GetString(buffer, 0, length)}";
            await socket.SendAsync(Encoding.UTF8.GetBytes(answer).AsMemory(), WebSocketMessageType.Text, endOfMessage: true, context.RequestAborted);
            length = 0;
        }

        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, statusDescription: null, context.RequestAborted);
    }
}
