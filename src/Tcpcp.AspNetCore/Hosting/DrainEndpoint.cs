using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;

namespace Tcpcp.AspNetCore.Hosting;

/// <summary>Answers an operator who drains this server by a request.</summary>
internal static partial class DrainEndpoint
{
    public static async Task HandleAsync(HttpContext context, IConnectionDrain drain)
    {
        string? destination = context.Request.Query["to"];
        try
        {
            await context.Response.WriteAsJsonAsync(await drain.DrainAsync(destination, context.RequestAborted), Json.Default.DrainReport);
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
