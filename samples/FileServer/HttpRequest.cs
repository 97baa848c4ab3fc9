using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;

namespace Tcpcp.Samples.FileServer;

/// <summary>A range of a Range header (RFC 9110, 14.1.2): from a position to an end, or the last bytes.</summary>
internal readonly record struct ByteRange(long? First, long? Last)
{
    /// <summary>The positions in a file of that length: first, and one past the last. Null if the range lies outside.</summary>
    public (long From, long To)? In(long length) => (First, Last) switch
    {
        ({ } first, { } last) when first < length && first <= last => (first, Math.Min(last + 1, length)),
        ({ } first, null) when first < length => (first, length),
        (null, { } suffix) when suffix > 0 && length > 0 => (Math.Max(0, length - suffix), length),
        _ => null,
    };
}

/// <summary>The head of an HTTP/1.1 request (RFC 9112), as far as a file server needs it.</summary>
internal sealed record HttpRequest(string Method, string Path, bool KeepAlive, ByteRange? Range)
{
    public const int MaxHeadBytes = 16 * 1024;

    /// <summary>Bytes of the body; null if the head does not say it.</summary>
    public long? ContentLength { get; init; }

    /// <summary>The client sends the body after a 100 (Continue) only, or after a while (RFC 9110, 10.1.1).</summary>
    public bool ExpectsContinue { get; init; }

    /// <summary>Takes one request from the front of what was received.</summary>
    /// <param name="consumed">Length of the head; 0 if it is not whole yet.</param>
    /// <returns>Null if it is not whole yet (<paramref name="consumed"/> is 0), or is not a request.</returns>
    public static HttpRequest? TryParse(ReadOnlySpan<byte> received, out int consumed)
    {
        int end = received.IndexOf("\r\n\r\n"u8);
        consumed = end < 0 ? 0 : end + 4;
        if (end < 0)
            return null;
        string[] lines = Encoding.Latin1.GetString(received[..end]).Split("\r\n");
        string[] words = lines[0].Split(' ');
        if (words.Length != 3 || !words[2].StartsWith("HTTP/1.", StringComparison.Ordinal) || !words[1].StartsWith('/'))
            return null;
        bool keepAlive = words[2] == "HTTP/1.1";
        ByteRange? range = null;
        (long? contentLength, bool expectsContinue) = (null, false);
        foreach (string line in lines.AsSpan(1))
        {
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon <= 0)
                return null;
            string value = line[(colon + 1)..].Trim();
            if (line.AsSpan(0, colon).Equals("Connection", StringComparison.OrdinalIgnoreCase))
                keepAlive = value.Contains("keep-alive", StringComparison.OrdinalIgnoreCase) || keepAlive && !value.Contains("close", StringComparison.OrdinalIgnoreCase);
            else if (line.AsSpan(0, colon).Equals("Range", StringComparison.OrdinalIgnoreCase) && TryParseRange(value, out ByteRange? parsed))
                range = parsed;
            else if (line.AsSpan(0, colon).Equals("Expect", StringComparison.OrdinalIgnoreCase))
                expectsContinue = value.Equals("100-continue", StringComparison.OrdinalIgnoreCase);
            else if (line.AsSpan(0, colon).Equals("Content-Length", StringComparison.OrdinalIgnoreCase))
            {
                if (!long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out long length))
                    return null;
                contentLength = length;
            }
        }

        if (contentLength > 0 && words[0] != "PUT")
            return null; // a body: not for a file server

        string path = Uri.UnescapeDataString(words[1].Split('?')[0]);
        return new HttpRequest(words[0], path, keepAlive, range) { ContentLength = contentLength, ExpectsContinue = expectsContinue };
    }

    // Several ranges, or another unit: the header is passed over, and the whole file sent (RFC 9110, 14.2).
    private static bool TryParseRange(string value, [NotNullWhen(true)] out ByteRange? range)
    {
        range = null;
        if (!value.StartsWith("bytes=", StringComparison.OrdinalIgnoreCase) || value.Contains(',', StringComparison.Ordinal))
            return false;
        string[] ends = value["bytes=".Length..].Split('-');
        if (ends.Length != 2 || !TryParseEnd(ends[0], out long? first) || !TryParseEnd(ends[1], out long? last) || first is null && last is null)
            return false;
        range = new ByteRange(first, last);
        return true;
    }

    private static bool TryParseEnd(string text, out long? position)
    {
        position = null;
        if (text.Length == 0)
            return true;
        bool parsed = long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number);
        position = number;
        return parsed;
    }
}
