using System.Buffers.Binary;
using System.Net.Security;
using System.Text;
using Tcpcp.Relay.Opening;

namespace Tcpcp.Relay.Tests.Opening;

public class ClientHelloTests
{
    [Theory]
    [InlineData("a.example.net")]
    [InlineData("db-17.internal.example")]
    public async Task The_name_that_a_real_client_asks_for_is_read_as_soon_as_its_hello_is_whole(string name)
    {
        byte[] hello = await HelloOfAsync(name);
        Assert.Equal(PrologueProgress.Done, ClientHello.Read(hello, out string? read));
        Assert.Equal(name, read);
        for (int cut = 0; cut < hello.Length; cut++)
            Assert.Equal(PrologueProgress.Unfinished, ClientHello.Read(hello.AsSpan(0, cut), out _));
    }

    [Fact]
    public async Task A_hello_in_several_records_is_read()
    {
        byte[] hello = await HelloOfAsync("a.example.net");
        const int First = 40;
        byte[] split = [.. hello[..3], 0, First, .. hello[5..(5 + First)], .. hello[..3], 0, 0, .. hello[(5 + First)..]];
        BinaryPrimitives.WriteUInt16BigEndian(split.AsSpan(5 + First + 3), (ushort)(hello.Length - 5 - First));
        Assert.Equal(PrologueProgress.Done, ClientHello.Read(split, out string? read));
        Assert.Equal("a.example.net", read);
    }

    [Theory]
    [InlineData("SSH-2.0-OpenSSH_9.2\r\n")]
    [InlineData("GET / HTTP/1.1\r\n")]
    [InlineData("\u0016\u0002")]
    public void What_is_no_TLS_is_invalid_at_once(string text) => Assert.Equal(PrologueProgress.Invalid, ClientHello.Read(Encoding.Latin1.GetBytes(text), out _));

    [Fact]
    public async Task Whatever_bytes_come_it_says_how_far_it_is()
    {
        byte[] hello = await HelloOfAsync("a.example.net");
        Random random = new(7);
        for (int i = 0; i < 20_000; i++)
        {
            byte[] changed = [.. hello];
            for (int change = random.Next(1, 4); change > 0; change--)
                changed[random.Next(changed.Length)] = (byte)random.Next(256);
            ClientHello.Read(changed.AsSpan(0, random.Next(changed.Length + 1)), out _);
        }
    }

    // What the framework's TLS client writes first.
    private static async Task<byte[]> HelloOfAsync(string name)
    {
        using FirstWrite first = new();
        await using SslStream client = new(first);
        await Assert.ThrowsAnyAsync<IOException>(() => client.AuthenticateAsClientAsync(name));
        return first.Bytes;
    }

    private sealed class FirstWrite : MemoryStream
    {
        public byte[] Bytes { get; private set; } = [];

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            Bytes = [.. Bytes, .. buffer.Span];
            return ValueTask.CompletedTask;
        }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => ValueTask.FromResult(0);
    }
}
