using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Tcpcp.AspNetCore;
using Tcpcp.AspNetCore.Responses;

namespace Microsoft.AspNetCore.Http;

/// <summary>Responses that can go on at another host.</summary>
public static class PassableResponseExtensions
{
    /// <summary>The response of this request as one that can be passed. On a connection that cannot be, it is an ordinary one.</summary>
    public static IPassableResponse GetPassableResponse(this HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return PassableResponse.Of(context) is { } response ? response : OrdinaryResponse.Instance;
    }

    /// <summary>Lets every file that is sent after this in the pipeline (static files, <c>Results.File</c>, <c>SendFileAsync</c>) go on at another host in its middle.</summary>
    public static IApplicationBuilder UsePassableFiles(this IApplicationBuilder app)
    {
        ArgumentNullException.ThrowIfNull(app);
        FileExaminer files = app.ApplicationServices.GetRequiredService<FileExaminer>();
        return app.Use(next => context =>
        {
            if (HttpMethods.IsGet(context.Request.Method) && context.Features.Get<IHttpResponseBodyFeature>() is { } body)
                context.Features.Set<IHttpResponseBodyFeature>(new PassableFileBody(context, body, files));
            return next(context);
        });
    }

    /// <summary>Static files as <c>UseStaticFiles</c> serves them, whose downloads go on at another host in their middle.</summary>
    public static IApplicationBuilder UsePassableStaticFiles(this IApplicationBuilder app) => app.UsePassableFiles().UseStaticFiles();

    /// <summary>The same with options.</summary>
    /// <param name="options">Of the static files.</param>
    public static IApplicationBuilder UsePassableStaticFiles(this IApplicationBuilder app, StaticFileOptions options) => app.UsePassableFiles().UseStaticFiles(options);

    private sealed class OrdinaryResponse : IPassableResponse
    {
        public static OrdinaryResponse Instance { get; } = new();

        public bool IsResumed => false;

        public ReadOnlyMemory<byte> State => default;

        public ValueTask CheckpointAsync(Func<ReadOnlyMemory<byte>> getState) => default;
    }
}
