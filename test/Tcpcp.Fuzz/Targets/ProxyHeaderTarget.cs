using System.Net;
using System.Text;
using Tcpcp.Relay.Opening;

namespace Tcpcp.Fuzz.Targets;

/// <summary>What a load balancer, or anybody who reaches the listener, says of the client before the client's own bytes.</summary>
internal sealed class ProxyHeaderTarget : FuzzTarget
{
    public override string Name => "proxy-header";

    public override bool IsMessage => false;

    public override IReadOnlyList<byte[]> Tokens =>
        [.. ((string[])["PROXY ", "TCP4 ", "TCP6 ", "UNKNOWN", "192.0.2.9 ", "2001:db8::9 ", "::ffff:192.0.2.9 ", "65536", "0", "\r\n", "\r\n\r\n\0\r\nQUIT\n"]).Select(Encoding.ASCII.GetBytes)];

    public override IEnumerable<byte[]> Seeds()
    {
        foreach ((string client, string service) in ((string, string)[])[("192.0.2.9:51514", "192.0.2.100:443"), ("[2001:db8::9]:51514", "[2001:db8::100]:443")])
            yield return ProxyHeader.Write(IPEndPoint.Parse(client), IPEndPoint.Parse(service));
        foreach (string text in (string[])["PROXY TCP4 192.0.2.9 192.0.2.100 51514 443\r\nx", "PROXY TCP6 2001:db8::9 2001:db8::100 51514 443\r\n", "PROXY UNKNOWN\r\n"])
            yield return Encoding.ASCII.GetBytes(text);
    }

    public override void Run(byte[] input)
    {
        ReadOnlySpan<byte> bytes = input.AsSpan(0, Math.Min(input.Length, ProxyHeader.MaxBytes));
        PrologueProgress progress = ProxyHeader.Read(bytes, out int length, out IPEndPoint? client);
        if (progress == PrologueProgress.Done ? length is 0 || length > bytes.Length : client is not null)
            throw new InvalidOperationException($"{progress}, with a header of {length} bytes of {bytes.Length}, and the client {client}.");
        if (progress == PrologueProgress.Unfinished && bytes.Length == ProxyHeader.MaxBytes)
            throw new InvalidOperationException("It would wait for more than the longest header.");
    }
}
