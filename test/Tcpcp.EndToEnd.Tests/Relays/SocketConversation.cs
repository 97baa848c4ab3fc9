using System.Net.Sockets;
using System.Text;

namespace Tcpcp.EndToEnd.Tests.Relays;

/// <summary>What a client does with one connection, each step with a limit.</summary>
internal static class SocketConversation
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);

    /// <summary>Sends text, and hears that much back.</summary>
    public static async Task ExchangeAsync(this Socket socket, string text)
    {
        await socket.SendAsync(Encoding.ASCII.GetBytes(text));
        Assert.Equal(text, await socket.HearAsync(text.Length));
    }

    /// <returns>What comes, up to so many bytes; less if the connection has ended, by a reset too.</returns>
    public static async Task<string> HearAsync(this Socket socket, int length)
    {
        byte[] heard = new byte[length];
        int count = 0;
        try
        {
            while (count < length && await socket.ReceiveAsync(heard.AsMemory(count)).AsTask().WaitAsync(s_limit) is > 0 and int more)
                count += more;
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
            // It has ended.
        }

        return Encoding.ASCII.GetString(heard, 0, count);
    }

    /// <summary>Returns when the other side has ended the connection, without having said anything more.</summary>
    /// <returns>Whether by a reset.</returns>
    public static async Task<bool> UntilEndedAsync(this Socket socket)
    {
        try
        {
            Assert.Equal(0, await socket.ReceiveAsync(new byte[16]).WaitAsync(s_limit));
            return false;
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
            return true;
        }
    }
}
