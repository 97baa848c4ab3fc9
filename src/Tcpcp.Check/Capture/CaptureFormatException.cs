namespace Tcpcp.Check.Capture;

/// <summary>
/// The file is not a capture that can be read: damaged, cut off, or of a foreign format. The message says what was found at which byte and
/// what to do about it.
/// </summary>
public sealed class CaptureFormatException : Exception
{
    /// <summary>Makes the exception without an offset (0).</summary>
    public CaptureFormatException()
        : this("The file is not a packet capture.")
    {
    }

    /// <summary>Makes the exception without an offset (0).</summary>
    public CaptureFormatException(string message)
        : base(message)
    {
    }

    /// <summary>Makes the exception without an offset (0).</summary>
    public CaptureFormatException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>Makes the exception for what stands at <paramref name="offset"/>, in bytes from the beginning of the file.</summary>
    /// <param name="offset">Where, in bytes from the beginning of the file.</param>
    /// <param name="found">What is wrong there.</param>
    /// <param name="advice">What the user can do about it.</param>
    public CaptureFormatException(long offset, string found, string advice)
        : base($"At byte {offset}: {found}. {advice}") =>
        Offset = offset;

    /// <summary>Where the damaged record or block begins, in bytes from the beginning of the file.</summary>
    public long Offset { get; }
}
