using System.Text;
using Tcpcp.Relay.Opening;

namespace Tcpcp.Fuzz.Targets;

/// <summary>What a TLS client says first, in which the relay looks for a name.</summary>
internal sealed class ClientHelloTarget : FuzzTarget
{
    public override string Name => "client-hello";

    public override bool IsMessage => false;

    public override IEnumerable<byte[]> Seeds()
    {
        byte[] name = Encoding.ASCII.GetBytes("a.example.net");
        byte[] serverName = [0, 0, .. Prefixed(2, Prefixed(2, [0, .. Prefixed(2, name)]))];
        byte[] versions = [0, 43, .. Prefixed(2, Prefixed(1, [3, 4]))];
        foreach (byte[] extensions in (byte[][])[[.. versions, .. serverName], [.. serverName, .. versions], versions])
        {
            byte[] body = [3, 3, .. new byte[32], .. Prefixed(1, new byte[32]), .. Prefixed(2, [0x13, 1, 0x13, 2]), .. Prefixed(1, [0]), .. Prefixed(2, extensions)];
            byte[] message = [1, .. Prefixed(3, body)];
            yield return [22, 3, 1, .. Prefixed(2, message)];
            yield return [22, 3, 1, .. Prefixed(2, message[..40]), 22, 3, 1, .. Prefixed(2, message[40..])];
        }

        static byte[] Prefixed(int lengthBytes, byte[] bytes) =>
            [.. Enumerable.Range(1, lengthBytes).Select(i => (byte)(bytes.Length >> (8 * (lengthBytes - i)))), .. bytes];
    }

    public override void Run(byte[] input)
    {
        ReadOnlySpan<byte> bytes = input.AsSpan(0, Math.Min(input.Length, ClientHello.MaxBytes));
        PrologueProgress progress = ClientHello.Read(bytes, out string? name);
        if (name is not null && (progress != PrologueProgress.Done || name.Length is 0 or > 255 || name.Any(one => one is <= ' ' or > '~')))
            throw new InvalidOperationException($"{progress}, and the name '{name}'.");
        if (progress == PrologueProgress.Unfinished && bytes.Length == ClientHello.MaxBytes)
            throw new InvalidOperationException("It would wait for more than the longest hello.");
    }
}
