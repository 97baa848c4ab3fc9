using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Win32.SafeHandles;
using Tcpcp.Core.Wire;

namespace Tcpcp.AspNetCore.Responses;

/// <summary>A response's body that sends files piece by piece, and can stop between two pieces.</summary>
/// <param name="inner">The server's own.</param>
internal sealed class PassableFileBody(HttpContext context, IHttpResponseBodyFeature inner, FileExaminer files) : IHttpResponseBodyFeature
{
    private const int PieceBytes = 64 << 10;

    public IHttpResponseBodyFeature Inner => inner;

    public Stream Stream => inner.Stream;

    public PipeWriter Writer => inner.Writer;

    public void DisableBuffering() => inner.DisableBuffering();

    public Task StartAsync(CancellationToken cancellationToken = default) => inner.StartAsync(cancellationToken);

    public Task CompleteAsync() => inner.CompleteAsync();

    public async Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default)
    {
        if (PassableResponse.Of(context) is not { } response)
        {
            await inner.SendFileAsync(path, offset, count, cancellationToken);
            return;
        }

        using SafeFileHandle handle = File.OpenHandle(path, options: FileOptions.Asynchronous | FileOptions.SequentialScan);
        ServerFile file = files.Describe(path, handle);
        file.Next = (ulong)offset;
        file.End = count is { } length ? (ulong)(offset + length) : file.Length;
        if (response.ArrivedFile is { } arrived)
        {
            if (arrived.End != file.End || arrived.Next < file.Next || arrived.Length != file.Length)
                throw new InvalidOperationException("The range of the file that came is another one.");
            file.Next = arrived.Next;
            context.Response.ContentLength = (long)(file.End - file.Next);
        }

        byte[] buffer = ArrayPool<byte>.Shared.Rent(PieceBytes);
        try
        {
            while (file.Next < file.End)
            {
                int wanted = (int)Math.Min(PieceBytes, file.End - file.Next);
                int read = await RandomAccess.ReadAsync(handle, buffer.AsMemory(0, wanted), (long)file.Next, cancellationToken);
                if (read == 0)
                    throw new IOException($"{path} has become shorter while it was sent.");
                FlushResult flushed = await inner.Writer.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
                if (flushed.IsCompleted)
                    return;
                file.Next += (ulong)read;
                await response.CheckpointAsync(() => file);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
