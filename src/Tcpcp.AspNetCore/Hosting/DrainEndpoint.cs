using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;
using Tcpcp.AspNetCore.Passing;
using Tcpcp.AspNetCore.Transport;

namespace Tcpcp.AspNetCore.Hosting;

/// <summary>Answers an operator who drains this server by a request.</summary>
internal static partial class DrainEndpoint
{
    public static async Task HandleAsync(HttpContext context, ConnectionDrain drain)
    {
        string? destination = context.Request.Query["to"];
        try
        {
            DrainReport report = await drain.DrainAsync(destination, context.Features.Get<PassableConnection>(), context.RequestAborted);
            context.Response.Headers.Connection = "close"; // this one was left out
            await context.Response.WriteAsJsonAsync(report, Json.Default.DrainReport);
        }
        catch (InvalidOperationException e)
        {
            context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
            await context.Response.WriteAsJsonAsync(e.Message, Json.Default.String);
        }
    }

    [JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
    [JsonSerializable(typeof(DrainReport))]
    [JsonSerializable(typeof(string))]
    private sealed partial class Json : JsonSerializerContext;
}
