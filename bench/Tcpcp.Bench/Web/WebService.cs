using System.Net;
using System.Net.WebSockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Tcpcp.AspNetCore;

namespace Tcpcp.Bench.Web;

/// <summary>The server that is measured, with the integration or as it is without.</summary>
internal static class WebService
{
    public const string Name = "web";

    /// <param name="agentSocket">Null: without tcpcp.</param>
    public static async Task RunAsync(IPEndPoint endPoint, string? agentSocket)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(options => options.Listen(endPoint));
        if (agentSocket is not null)
            builder.WebHost.UseTcpcp(options => (options.Application, options.AgentSocket) = (Name, agentSocket));
        WebApplication application = builder.Build();
        application.MapGet("/", (RequestDelegate)(context => context.Response.WriteAsync("Hello, world")));
        application.MapGet("/memory", (RequestDelegate)(context =>
        {
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            GC.WaitForPendingFinalizers();
            return context.Response.WriteAsync($"{GC.GetTotalMemory(forceFullCollection: true)}");
        }));
        application.Map("/chat", ChatAsync);
        await application.RunAsync();
    }

    private static async Task ChatAsync(HttpContext context)
    {
        using PassableWebSocket socket = await context.AcceptPassableWebSocketAsync(new PassableWebSocketOptions { GetStateAsync = _ => default });
        byte[] buffer = new byte[128];
        while (await socket.ReceiveAsync(buffer.AsMemory(), context.RequestAborted) is { MessageType: not WebSocketMessageType.Close } result)
            await socket.SendAsync(buffer.AsMemory(0, result.Count), result.MessageType, result.EndOfMessage, context.RequestAborted);
    }
}
