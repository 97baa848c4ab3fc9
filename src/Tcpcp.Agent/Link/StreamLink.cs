using System.Buffers;
using System.Buffers.Binary;
using Google.Protobuf;
using Tcpcp.Core.Wire;

namespace Tcpcp.Agent.Link;

/// <summary>
/// Messages of passes over a duplex stream: each is its length in four bytes, big endian, and a <see cref="PassMessage"/>. One reader at a time;
/// any thread may send.
/// </summary>
internal sealed class StreamLink(Stream stream) : IPassLink
{
    /// <summary>A chunk of 1 MiB and what is around it.</summary>
    public const int MaxMessageBytes = (1 << 20) + 4096;

    private const int PrefixBytes = 4;

    private readonly Lock _sending = new();
    private readonly byte[] _prefix = new byte[PrefixBytes];

    public void Send(PassMessage message)
    {
        int length = message.CalculateSize();
        if (length > MaxMessageBytes)
            throw new ArgumentException($"A message of {length} bytes is too large; the limit is {MaxMessageBytes}.", nameof(message));
        byte[] buffer = ArrayPool<byte>.Shared.Rent(PrefixBytes + length);
        try
        {
            BinaryPrimitives.WriteInt32BigEndian(buffer, length);
            message.WriteTo(buffer.AsSpan(PrefixBytes, length));
            lock (_sending)
                stream.Write(buffer, 0, PrefixBytes + length);
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            stream.Dispose(); // a message may have been cut, where the time for sending was up
            throw new LinkException("The link to the other agent broke while sending.", e);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    public async ValueTask<PassMessage?> ReceiveAsync(CancellationToken cancellationToken)
    {
        try
        {
            int read = await stream.ReadAtLeastAsync(_prefix, PrefixBytes, throwOnEndOfStream: false, cancellationToken);
            if (read == 0)
                return null;
            if (read < PrefixBytes)
                throw new LinkException("The link to the other agent ended within a message.");
            int length = BinaryPrimitives.ReadInt32BigEndian(_prefix);
            if (length is < 0 or > MaxMessageBytes)
                throw new LinkException($"The other side sent a message of {length} bytes; the limit is {MaxMessageBytes}. Is it an agent?");
            // The message keeps parts of this buffer (queue contents): it is not pooled.
            byte[] buffer = GC.AllocateUninitializedArray<byte>(length);
            await stream.ReadExactlyAsync(buffer, cancellationToken);
            return PassMessage.Parser.ParseFrom(buffer);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new LinkException("The other side sent something that is not a message of a pass.", e);
        }
        catch (Exception e) when (e is IOException and not LinkException or ObjectDisposedException)
        {
            throw new LinkException("The link to the other agent broke.", e);
        }
    }

    public void Dispose() => stream.Dispose();
}
