using System.Net;
using System.Text;
using Tcpcp.Relay.Opening;

namespace Tcpcp.Relay.Tests.Opening;

public class ProxyHeaderTests
{
    [Theory]
    [InlineData("192.0.2.9:51514", "192.0.2.100:443")]
    [InlineData("[2001:db8::9]:51514", "[2001:db8::100]:443")]
    [InlineData("192.0.2.9:51514", "[2001:db8::100]:443")]
    public void What_is_written_is_read_again(string client, string service)
    {
        byte[] header = ProxyHeader.Write(IPEndPoint.Parse(client), IPEndPoint.Parse(service));
        Assert.Equal(PrologueProgress.Done, ProxyHeader.Read([.. header, .. "GET /"u8], out int length, out IPEndPoint? read));
        Assert.Equal((header.Length, IPEndPoint.Parse(client)), (length, read));
        for (int cut = 0; cut < header.Length; cut++)
            Assert.Equal(PrologueProgress.Unfinished, ProxyHeader.Read(header.AsSpan(0, cut), out _, out _));
    }

    [Theory]
    [InlineData("PROXY TCP4 192.0.2.9 192.0.2.100 51514 443\r\n", "192.0.2.9:51514")]
    [InlineData("PROXY TCP6 2001:db8::9 2001:db8::100 51514 443\r\n", "[2001:db8::9]:51514")]
    [InlineData("PROXY UNKNOWN\r\n", null)]
    [InlineData("PROXY UNKNOWN ffff:f...f:ffff ffff 65535 65535\r\n", null)]
    public void A_line_of_version_1_is_read(string line, string? client)
    {
        Assert.Equal(PrologueProgress.Done, ProxyHeader.Read(Encoding.ASCII.GetBytes(line + "rest"), out int length, out IPEndPoint? read));
        Assert.Equal(line.Length, length);
        Assert.Equal(client is null ? null : IPEndPoint.Parse(client), read);
        for (int cut = 0; cut < line.Length; cut++)
            Assert.Equal(PrologueProgress.Unfinished, ProxyHeader.Read(Encoding.ASCII.GetBytes(line[..cut]), out _, out _));
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\n")]
    [InlineData("PROXY TCP4 192.0.2.9 192.0.2.100 51514\r\n")]
    [InlineData("PROXY TCP4 2001:db8::9 2001:db8::100 51514 443\r\n")]
    [InlineData("PROXY TCP4 192.0.2.9 192.0.2.100 70000 443\r\n")]
    [InlineData("PROXY UDP4 192.0.2.9 192.0.2.100 51514 443\r\n")]
    [InlineData("PROXY TCP4 192.0.2.9 192.0.2.100 51514 443 ......................................................................... and so on")]
    [InlineData("\r\n\r\nX")]
    public void What_is_no_header_is_invalid(string text) =>
        Assert.Equal(PrologueProgress.Invalid, ProxyHeader.Read(Encoding.ASCII.GetBytes(text), out _, out _));

    [Fact]
    public void A_header_of_the_load_balancer_itself_names_no_client()
    {
        byte[] header = [.. "\r\n\r\n\0\r\nQUIT\n"u8, 0x20, 0x00, 0x00, 0x00];
        Assert.Equal(PrologueProgress.Done, ProxyHeader.Read(header, out int length, out IPEndPoint? client));
        Assert.Equal((16, null), (length, client));
    }

    [Fact]
    public void Fields_behind_the_addresses_are_skipped()
    {
        byte[] header = [.. ProxyHeader.Write(IPEndPoint.Parse("192.0.2.9:51514"), IPEndPoint.Parse("192.0.2.100:443")), 4, 0, 1, 7];
        header[15] += 4;
        Assert.Equal(PrologueProgress.Done, ProxyHeader.Read(header, out int length, out _));
        Assert.Equal(header.Length, length);
    }
}
