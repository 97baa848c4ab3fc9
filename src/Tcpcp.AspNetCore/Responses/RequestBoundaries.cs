using System.IO.Pipelines;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Tcpcp.AspNetCore.Transport;

namespace Tcpcp.AspNetCore.Responses;

/// <summary>The first middleware: tells the connection where a request begins and ends.</summary>
internal sealed class RequestBoundaries(RequestDelegate next)
{
    public Task InvokeAsync(HttpContext context)
    {
        if (context.Features.Get<PassableConnection>() is not { Obstacle: null } connection)
            return next(context);
        long? body = context.Request.Headers.TransferEncoding.Count > 0 ? null : context.Request.ContentLength ?? 0;
        connection.Input.BeginRequest(body);
        connection.IsBusy = true;
        Task handled;
        try
        {
            handled = next(context);
        }
        catch (Exception e)
        {
            handled = Task.FromException(e);
        }

        if (!handled.IsCompletedSuccessfully)
            return FinishAsync(handled, context, connection, body);
        End(context, connection, body);
        return Task.CompletedTask;
    }

    private static async Task FinishAsync(Task handled, HttpContext context, PassableConnection connection, long? body)
    {
        try
        {
            await handled;
        }
        catch (Exception) when (connection.IsDetached)
        {
            // It goes on at another host.
        }
        finally
        {
            End(context, connection, body);
        }
    }

    private static void End(HttpContext context, PassableConnection connection, long? body)
    {
        connection.IsBusy = false;
        if (connection.Exchange is PassableExchange exchange)
        {
            connection.Exchange = null;
            exchange.End();
        }

        if (connection.ArrivedExchange is not null)
            connection.Lose("Nothing here has gone on with the request that came.");
        connection.Input.EndRequest(isBodyRead: body is not null || IsBodyRead(context.Request));
    }

    private static bool IsBodyRead(HttpRequest request)
    {
        try
        {
            if (!request.BodyReader.TryRead(out ReadResult result))
                return false;
            bool isRead = result is { IsCompleted: true, Buffer.IsEmpty: true };
            request.BodyReader.AdvanceTo(result.Buffer.Start);
            return isRead;
        }
        catch (Exception e) when (e is InvalidOperationException or IOException or BadHttpRequestException or OperationCanceledException)
        {
            return false; // the application has given its reader up
        }
    }

    /// <summary>Puts it before all others.</summary>
    internal sealed class Filter : IStartupFilter
    {
        public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
        {
            app.UseMiddleware<RequestBoundaries>();
            next(app);
        };
    }
}
