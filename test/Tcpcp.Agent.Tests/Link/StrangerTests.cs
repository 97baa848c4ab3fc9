using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Text;
using Google.Protobuf;
using Grpc.Core;
using Tcpcp.Agent.Link;
using Tcpcp.Core;
using Tcpcp.Core.Wire;

namespace Tcpcp.Agent.Tests.Link;

/// <summary>Whoever is no agent of the authority, or does not speak as one, is refused, reported and forgotten; agents are served on.</summary>
public sealed class StrangerTests
{
    private static readonly TimeSpan s_soon = TimeSpan.FromMilliseconds(300);

    [Theory]
    [InlineData("other authority")]
    [InlineData("test authority")]
    public async Task A_certificate_of_another_authority_is_refused_by_the_server(string authority)
    {
        await using LinkPair pair = await LinkPair.StartAsync();
        using TestAuthority other = new(authority);
        CertificateFiles files = other.Issue(Path.Combine(pair.Directory, "stranger"), LinkPair.Origin);
        File.Copy(pair.ServerFiles.Authority, files.Authority, overwrite: true); // so that only the server has an objection
        await AssertNotReachedAsync(pair.Channel(files));
        LinkEvent refused = await pair.EventAsync(LinkEventKind.HandshakeRefused);
        Assert.Contains("is not of the authority", refused.Detail, StringComparison.Ordinal);
        Assert.Contains(LinkPair.Origin, refused.Detail, StringComparison.Ordinal);
        await pair.AssertHealthyAsync();
    }

    [Fact]
    public async Task A_server_of_another_authority_is_refused_by_the_origin()
    {
        await using LinkPair pair = await LinkPair.StartAsync();
        using TestAuthority other = new();
        LinkException e = await AssertNotReachedAsync(pair.Channel(other.Issue(Path.Combine(pair.Directory, "stranger"), LinkPair.Origin)));
        Assert.Contains($"({LinkPair.Destination}) is not of the authority", e.Message, StringComparison.Ordinal);
        await pair.AssertHealthyAsync();
    }

    [Fact]
    public async Task An_expired_certificate_is_refused_by_the_server()
    {
        await using LinkPair pair = await LinkPair.StartAsync();
        CertificateFiles files = pair.Authority.Issue(Path.Combine(pair.Directory, "late"), LinkPair.Origin, notAfter: DateTimeOffset.UtcNow.AddDays(-1));
        await AssertNotReachedAsync(pair.Channel(files));
        Assert.Contains("which is not now", (await pair.EventAsync(LinkEventKind.HandshakeRefused)).Detail, StringComparison.Ordinal);
        await pair.AssertHealthyAsync();
    }

    [Fact]
    public async Task An_expired_server_is_refused_by_the_origin()
    {
        await using LinkPair pair = await LinkPair.StartAsync(
            issue: (authority, directory) => authority.Issue(directory, LinkPair.Destination, notAfter: DateTimeOffset.UtcNow.AddDays(-1)));
        LinkException e = await AssertNotReachedAsync(pair.Channel());
        Assert.Contains("which is not now", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_server_with_another_name_is_refused_by_the_origin(bool hasDnsName)
    {
        await using LinkPair pair = await LinkPair.StartAsync(issue: (authority, directory) => authority.Issue(directory, LinkPair.Destination, hasDnsName: hasDnsName));
        LinkException e = await AssertNotReachedAsync(pair.Channel(name: "host-c.example"));
        Assert.Contains($"Its certificate is of {LinkPair.Destination}.", e.Message, StringComparison.Ordinal);
        await pair.AssertHealthyAsync();
    }

    [Fact]
    public async Task Without_a_certificate_nobody_is_served()
    {
        await using LinkPair pair = await LinkPair.StartAsync();
        await AssertCutAsync(await RawOrigin.SecureAsync(pair.Server.EndPoint, own: null)); // in TLS 1.3 a client learns it after its handshake
        Assert.Contains("no certificate", (await pair.EventAsync(LinkEventKind.HandshakeRefused)).Detail, StringComparison.Ordinal);
        await pair.AssertHealthyAsync();
    }

    [Fact]
    public async Task TLS_1_2_is_refused()
    {
        await using LinkPair pair = await LinkPair.StartAsync();
        HostCertificate own = Own(pair);
        await Assert.ThrowsAnyAsync<Exception>(() => RawOrigin.SecureAsync(pair.Server.EndPoint, own, SslProtocols.Tls12));
        await pair.EventAsync(LinkEventKind.HandshakeRefused);
        await pair.AssertHealthyAsync();
    }

    [Fact]
    public async Task Who_connects_and_says_nothing_is_cut()
    {
        await using LinkPair pair = await LinkPair.StartAsync(handshakeTime: s_soon);
        await AssertCutAsync(await RawOrigin.ConnectAsync(pair.Server.EndPoint));
        await pair.EventAsync(LinkEventKind.HandshakeRefused);
        await pair.AssertHealthyAsync();
    }

    [Fact]
    public async Task Who_shows_a_certificate_and_says_nothing_is_cut()
    {
        await using LinkPair pair = await LinkPair.StartAsync(silenceTime: s_soon);
        await AssertCutAsync(await RawOrigin.SecureAsync(pair.Server.EndPoint, Own(pair)));
        Assert.Equal(LinkPair.Origin, (await pair.EventAsync(LinkEventKind.NoCall)).Peer);
        await pair.AssertHealthyAsync();
    }

    [Fact]
    public async Task Garbage_instead_of_TLS_is_refused()
    {
        await using LinkPair pair = await LinkPair.StartAsync();
        NetworkStream stream = await RawOrigin.ConnectAsync(pair.Server.EndPoint);
        await stream.WriteAsync(Encoding.ASCII.GetBytes("GET / HTTP/1.1\r\nHost: agent\r\n\r\n"));
        await AssertCutAsync(stream);
        await pair.EventAsync(LinkEventKind.HandshakeRefused);
        await pair.AssertHealthyAsync();
    }

    [Fact]
    public async Task Garbage_within_TLS_is_refused()
    {
        await using LinkPair pair = await LinkPair.StartAsync();
        SslStream stream = await RawOrigin.SecureAsync(pair.Server.EndPoint, Own(pair));
        byte[] garbage = new byte[4096];
        new Random(5).NextBytes(garbage);
        await stream.WriteAsync(garbage);
        await AssertCutAsync(stream);
        await pair.EventAsync(LinkEventKind.NoCall);
        await pair.AssertHealthyAsync();
    }

    [Fact]
    public async Task What_is_no_message_ends_the_stream()
    {
        await using LinkPair pair = await LinkPair.StartAsync();
        RpcException e = await RawOrigin.ExchangeAsync(pair.Server.EndPoint, Own(pair), [0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3]);
        Assert.Equal(StatusCode.InvalidArgument, e.StatusCode);
        Assert.Contains("not a message of a pass", (await pair.EventAsync(LinkEventKind.StreamRefused)).Detail, StringComparison.Ordinal);
        await pair.AssertHealthyAsync();
    }

    [Fact]
    public async Task A_message_that_is_too_large_ends_the_stream()
    {
        await using LinkPair pair = await LinkPair.StartAsync();
        RpcException e = await RawOrigin.ExchangeAsync(pair.Server.EndPoint, Own(pair), new byte[StreamLink.MaxMessageBytes + 1]);
        Assert.Equal(StatusCode.InvalidArgument, e.StatusCode);
        Assert.Contains("larger than", (await pair.EventAsync(LinkEventKind.StreamRefused)).Detail, StringComparison.Ordinal);
        await pair.AssertHealthyAsync();
    }

    [Fact]
    public async Task An_origin_that_takes_nothing_is_given_up()
    {
        TaskCompletionSource<LinkException> gaveUp = new();
        await using LinkPair pair = await LinkPair.StartAsync(serve: (link, _, _) =>
        {
            PassId pass = PassId.New();
            PassMessage message = LinkTests.Divert(pass, 1);
            message.Held = new HeldPackets { Packets = { ByteString.CopyFrom(new byte[1 << 19]) } };
            try
            {
                while (true)
                    link.Send(message);
            }
            catch (LinkException e)
            {
                gaveUp.SetResult(e);
            }

            return Task.FromResult<string?>(null);
        });
        Task<RpcException> exchange = RawOrigin.ExchangeAsync(pair.Server.EndPoint, Own(pair), []);
        Assert.Contains("does not take", (await gaveUp.Task.WaitAsync(TimeSpan.FromSeconds(30))).Message, StringComparison.Ordinal);
        _ = exchange.ContinueWith(ended => ended.Exception, TaskScheduler.Default); // how it ends for whoever does not read is not of interest
    }

    private static HostCertificate Own(LinkPair pair) => HostCertificate.Load(pair.Authority.Issue(Path.Combine(pair.Directory, "raw"), LinkPair.Origin));

    private static async Task<LinkException> AssertNotReachedAsync(DestinationChannel channel) =>
        await Assert.ThrowsAsync<LinkException>(async () => await channel.ConnectAsync(PassId.New(), CancellationToken.None));

    // Some servers say good-bye before they close.
    private static async Task AssertCutAsync(Stream stream)
    {
        await using Stream disposed = stream;
        byte[] buffer = new byte[4096];
        try
        {
            using CancellationTokenSource limit = new(TimeSpan.FromSeconds(20));
            while (await stream.ReadAsync(buffer, limit.Token) > 0)
            {
            }
        }
        catch (IOException)
        {
            // A reset is an end too.
        }
    }
}
