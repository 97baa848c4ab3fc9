using System.Buffers.Binary;
using System.Text;

namespace Tcpcp.Relay.Opening;

/// <summary>The name in a TLS ClientHello (RFC 8446, 4.1.2; RFC 6066, 3). TLS is not terminated: the bytes go to the server as they came.</summary>
internal static class ClientHello
{
    /// <summary>The longest one that is read.</summary>
    public const int MaxBytes = 16 << 10;

    private const int RecordHeaderBytes = 5;
    private const byte Handshake = 22;
    private const byte ClientHelloMessage = 1;
    private const int ServerNameExtension = 0;
    private const int MaxNameBytes = 255;

    /// <param name="name">The name; null: the client asks for none.</param>
    public static PrologueProgress Read(ReadOnlySpan<byte> bytes, out string? name)
    {
        name = null;
        // One message may come in several records.
        byte[] message = new byte[Math.Min(bytes.Length, MaxBytes)];
        int length = 0;
        for (ReadOnlySpan<byte> rest = bytes; ;)
        {
            if (rest.Length > 0 && rest[0] != Handshake)
                return PrologueProgress.Invalid;
            if (rest.Length > 1 && rest[1] != 3)
                return PrologueProgress.Invalid;
            if (rest.Length < RecordHeaderBytes)
                return Unfinished(bytes);
            int record = BinaryPrimitives.ReadUInt16BigEndian(rest[3..]);
            if (record is 0 or > MaxBytes)
                return PrologueProgress.Invalid;
            ReadOnlySpan<byte> fragment = rest[RecordHeaderBytes..Math.Min(rest.Length, RecordHeaderBytes + record)];
            fragment.CopyTo(message.AsSpan(length));
            length += fragment.Length;
            if (length > 0 && message[0] != ClientHelloMessage)
                return PrologueProgress.Invalid;
            if (length >= 4)
            {
                int whole = 4 + ((message[1] << 16) | BinaryPrimitives.ReadUInt16BigEndian(message.AsSpan(2)));
                if (whole > MaxBytes)
                    return PrologueProgress.Invalid;
                if (length >= whole)
                    return ReadMessage(message.AsSpan(4, whole - 4), out name) ? PrologueProgress.Done : PrologueProgress.Invalid;
            }

            if (rest.Length < RecordHeaderBytes + record)
                return Unfinished(bytes);
            rest = rest[(RecordHeaderBytes + record)..];
        }
    }

    private static PrologueProgress Unfinished(ReadOnlySpan<byte> bytes) => bytes.Length < MaxBytes ? PrologueProgress.Unfinished : PrologueProgress.Invalid;

    private static bool ReadMessage(ReadOnlySpan<byte> message, out string? name)
    {
        name = null;
        const int VersionAndRandomBytes = 2 + 32;
        if (message.Length < VersionAndRandomBytes)
            return false;
        ReadOnlySpan<byte> rest = message[VersionAndRandomBytes..];
        if (!Skip(ref rest, 1) || !Skip(ref rest, 2) || !Skip(ref rest, 1)) // session id, cipher suites, compression methods
            return false;
        if (rest.IsEmpty)
            return true; // no extensions
        if (!Take(ref rest, 2, out ReadOnlySpan<byte> extensions))
            return false;
        while (extensions.Length >= 4)
        {
            int type = BinaryPrimitives.ReadUInt16BigEndian(extensions);
            extensions = extensions[2..];
            if (!Take(ref extensions, 2, out ReadOnlySpan<byte> extension))
                return false;
            if (type == ServerNameExtension)
                return ReadServerName(extension, out name);
        }

        return extensions.IsEmpty;
    }

    private static bool ReadServerName(ReadOnlySpan<byte> extension, out string? name)
    {
        name = null;
        if (!Take(ref extension, 2, out ReadOnlySpan<byte> list) || list.IsEmpty || list[0] != 0) // host_name
            return false;
        list = list[1..];
        if (!Take(ref list, 2, out ReadOnlySpan<byte> host) || host.Length is 0 or > MaxNameBytes || host.ContainsAnyExceptInRange((byte)0x21, (byte)0x7E))
            return false;
        name = Encoding.ASCII.GetString(host);
        return true;
    }

    private static bool Skip(ref ReadOnlySpan<byte> rest, int lengthBytes) => Take(ref rest, lengthBytes, out _);

    private static bool Take(ref ReadOnlySpan<byte> rest, int lengthBytes, out ReadOnlySpan<byte> taken)
    {
        taken = default;
        if (rest.Length < lengthBytes)
            return false;
        int length = lengthBytes == 1 ? rest[0] : BinaryPrimitives.ReadUInt16BigEndian(rest);
        if (rest.Length < lengthBytes + length)
            return false;
        taken = rest.Slice(lengthBytes, length);
        rest = rest[(lengthBytes + length)..];
        return true;
    }
}
