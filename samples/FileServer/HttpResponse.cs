using System.Globalization;
using System.Text;

namespace Tcpcp.Samples.FileServer;

/// <summary>
/// A response that is being written: what is left of its head, and which part of which file is still to come. This is all that another host with the
/// same files needs to go on.
/// </summary>
/// <param name="Head">Bytes of the head that the socket has not taken yet.</param>
/// <param name="File">Path below the root; null if only the head is sent.</param>
/// <param name="Position">Next byte of the file.</param>
/// <param name="End">One past the last byte of the file to be sent.</param>
/// <param name="KeepAlive">The connection stays for another request.</param>
internal sealed record HttpResponse(byte[] Head, string? File, long Position, long End, bool KeepAlive)
{
    /// <summary>Says that the body may come (RFC 9110, 15.2.1).</summary>
    public static HttpResponse Continue => new("HTTP/1.1 100 Continue\r\n\r\n"u8.ToArray(), null, 0, 0, KeepAlive: true);

    public bool IsComplete => Head.Length == 0 && Position >= End;

    /// <summary>The response to a request that asks for a file, or for something that this server does not do.</summary>
    public static HttpResponse To(HttpRequest? request, string root)
    {
        if (request is null)
            return Plain("400 Bad Request", keepAlive: false);
        if (request.Method is not ("GET" or "HEAD"))
            return Plain("405 Method Not Allowed", request.KeepAlive, "Allow: GET, HEAD\r\n");
        if (FileRoot.Find(root, request.Path) is not { } path || !System.IO.File.Exists(path))
            return Plain("404 Not Found", request.KeepAlive);

        string name = Path.GetRelativePath(root, path);
        FileInfo file = new(path);
        if (request.Range is null)
            return Part("200 OK", "", name, 0, file.Length, request, file);
        return request.Range.Value.In(file.Length) is ({ } from, { } to)
            ? Part("206 Partial Content", Invariant($"Content-Range: bytes {from}-{to - 1}/{file.Length}\r\n"), name, from, to, request, file)
            : Plain("416 Range Not Satisfiable", request.KeepAlive, Invariant($"Content-Range: bytes */{file.Length}\r\n"));
    }

    private static HttpResponse Part(string status, string range, string name, long from, long to, HttpRequest request, FileInfo file)
    {
        string head = Invariant($"HTTP/1.1 {status}\r\nContent-Length: {to - from}\r\nContent-Type: application/octet-stream\r\nAccept-Ranges: bytes\r\n") +
            Invariant($"Last-Modified: {file.LastWriteTimeUtc:R}\r\n{range}{ConnectionHeader(request.KeepAlive)}\r\n");
        return request.Method == "HEAD"
            ? new HttpResponse(Encoding.ASCII.GetBytes(head), null, 0, 0, request.KeepAlive)
            : new HttpResponse(Encoding.ASCII.GetBytes(head), name, from, to, request.KeepAlive);
    }

    /// <summary>A response without a body.</summary>
    public static HttpResponse Plain(string status, bool keepAlive, string headers = "") => new(
        Encoding.ASCII.GetBytes($"HTTP/1.1 {status}\r\nContent-Length: 0\r\n{headers}{ConnectionHeader(keepAlive)}\r\n"), null, 0, 0, keepAlive);

    private static string ConnectionHeader(bool keepAlive) => keepAlive ? "" : "Connection: close\r\n";

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
