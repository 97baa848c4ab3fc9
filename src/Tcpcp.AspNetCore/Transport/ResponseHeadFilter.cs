using System.Buffers;
using System.Globalization;
using System.Text;

namespace Tcpcp.AspNetCore.Transport;

/// <summary>
/// The head of a response whose beginning the client has from another host: the server writes one again, and it is dropped. If it does not fit what the client has read, the
/// connection must not go on.
/// </summary>
/// <param name="status">Of the response there.</param>
/// <param name="isChunked">Whether the response there has no length; null: it has no body.</param>
/// <param name="length">What is left of the body; null: not known.</param>
internal sealed class ResponseHeadFilter(int status, bool? isChunked, long? length)
{
    /// <summary>Why the connection must not go on; null: it may.</summary>
    public string? Fault { get; private set; }

    /// <summary>Looks for the head's end.</summary>
    public bool TryFindEnd(in ReadOnlySequence<byte> written, out SequencePosition end)
    {
        SequenceReader<byte> reader = new(written);
        if (!reader.TryReadTo(out ReadOnlySequence<byte> head, "\r\n\r\n"u8))
        {
            end = default;
            return false;
        }

        end = reader.Position;
        Judge(Encoding.Latin1.GetString(head));
        return true;
    }

    private void Judge(string head)
    {
        string[] lines = head.Split("\r\n");
        string[] line = lines[0].Split(' ', 3);
        if (line.Length < 2 || line[1] != status.ToString(CultureInfo.InvariantCulture))
            Fault = $"The response that came has the status {status}, and goes on here with '{lines[0]}'.";
        else if (isChunked is { } expected && expected != (FieldOf(lines, "Transfer-Encoding") is not null))
            Fault = expected ? "The response that came is chunked, and here it is not." : "The response that came has a length, and here it is chunked.";
        else if (length is { } left && FieldOf(lines, "Content-Length") is { } field && field != left.ToString(CultureInfo.InvariantCulture))
            Fault = $"Of the response that came {left} bytes are left, and here {field}.";
    }

    private static string? FieldOf(string[] lines, string name) => lines.FirstOrDefault(line =>
        line.StartsWith(name + ":", StringComparison.OrdinalIgnoreCase))?[(name.Length + 1)..].Trim();
}
