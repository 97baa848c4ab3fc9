using System.Net;
using System.Runtime.InteropServices;
using Tcpcp.Linux;
using Tcpcp.Linux.Streams;
using Tcpcp.Relay.Loops;
using Tcpcp.Relay.Sessions;
using Tcpcp.Relay.Settings;

namespace Tcpcp.Relay.Opening;

/// <summary>What a client has to say before it is known where its session goes: a PROXY header, a name in TLS, or nothing.</summary>
/// <param name="Client">By the header; null: the connection's own address.</param>
/// <param name="Name">That the client asks for in TLS; null: none.</param>
/// <param name="Rest">What was read and belongs to the server.</param>
/// <param name="Failure">Why the session does not open; null: it does.</param>
internal sealed record Prologue(IPEndPoint? Client, string? Name, ReadOnlyMemory<byte> Rest, SessionEnd? Failure)
{
    private const int MaxBytes = ProxyHeader.MaxBytes + ClientHello.MaxBytes;

    /// <summary>The client need not say anything first.</summary>
    public static Prologue None { get; } = new(null, null, default, null);

    public static async ValueTask<Prologue> ReadAsync(SafeHandle client, ListenerSettings settings, SessionLoop loop)
    {
        if (!settings.ExpectsProxyHeader && settings.Names.Count == 0)
            return None;
        long deadline = Environment.TickCount64 + (long)settings.PrologueTime.TotalMilliseconds;
        byte[] bytes = new byte[MaxBytes];
        int length = 0;
        while (true)
        {
            int count = StreamSocket.Receive(client, bytes.AsSpan(length));
            if (count == -Errno.EAGAIN)
            {
                TimeSpan left = TimeSpan.FromMilliseconds(deadline - Environment.TickCount64);
                if (left <= TimeSpan.Zero || !await loop.UntilReadyAsync(client, Readiness.Readable, left))
                    return Failed(SessionEnd.PrologueTimeout);
                continue;
            }

            if (count <= 0)
                return Failed(count == 0 ? SessionEnd.ClientClosed : SessionEnd.ClientReset);
            length += count;
            if (Understand(bytes.AsMemory(0, length), settings) is { } prologue)
                return prologue;
            if (length == MaxBytes)
                return Failed(SessionEnd.BadPrologue);
        }
    }

    // Null: more is needed.
    private static Prologue? Understand(ReadOnlyMemory<byte> bytes, ListenerSettings settings)
    {
        IPEndPoint? client = null;
        int header = 0;
        if (settings.ExpectsProxyHeader)
        {
            PrologueProgress progress = ProxyHeader.Read(bytes.Span, out header, out client);
            if (progress != PrologueProgress.Done)
                return progress == PrologueProgress.Invalid ? Failed(SessionEnd.BadPrologue) : null;
        }

        ReadOnlyMemory<byte> rest = bytes[header..];
        if (settings.Names.Count == 0)
            return new Prologue(client, null, rest, null);
        PrologueProgress hello = ClientHello.Read(rest.Span, out string? name);
        return hello switch
        {
            PrologueProgress.Done => new Prologue(client, name, rest, null),
            PrologueProgress.Invalid => Failed(SessionEnd.BadPrologue),
            _ => null,
        };
    }

    private static Prologue Failed(SessionEnd failure) => None with { Failure = failure };
}
