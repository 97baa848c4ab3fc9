using System.Text.Json.Serialization;

namespace Tcpcp.Samples.FileServer;

/// <summary>A file that is being received (PUT): this is all that another host that shares the directory needs to go on.</summary>
/// <param name="File">Path below the root that the file gets when it is whole.</param>
/// <param name="Position">Bytes that are in the unfinished file.</param>
/// <param name="Length">Bytes of the whole file.</param>
/// <param name="KeepAlive">The connection stays for another request.</param>
internal sealed record HttpUpload(string File, long Position, long Length, bool KeepAlive)
{
    [JsonIgnore]
    public bool IsComplete => Position >= Length;

    /// <summary>Takes a PUT request.</summary>
    /// <returns>The upload, if it may begin, and the response to be written before: null if there is none.</returns>
    public static (HttpUpload? Upload, HttpResponse? Response) Begin(HttpRequest request, string root)
    {
        // After a refusal the body may come all the same: the connection does not stay.
        if (request.ContentLength is not { } length)
            return (null, HttpResponse.Plain("411 Length Required", keepAlive: false));
        if (FileRoot.Find(root, request.Path) is not { } path || Directory.Exists(path) || !Directory.Exists(Path.GetDirectoryName(path)))
            return (null, HttpResponse.Plain("409 Conflict", keepAlive: false));
        HttpUpload upload = new(Path.GetRelativePath(root, path), 0, length, request.KeepAlive);
        return (upload, request.ExpectsContinue ? HttpResponse.Continue : null);
    }
}
