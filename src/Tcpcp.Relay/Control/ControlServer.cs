using Google.Protobuf;
using Microsoft.Extensions.Logging;
using Tcpcp.Core.Wire;
using Tcpcp.Linux;
using Tcpcp.Linux.UnixSockets;
using Tcpcp.Relay.Hosting;

namespace Tcpcp.Relay.Control;

/// <summary>Where commands reach the relay: a Unix socket for root, the relay's own user and the members of one group, as the kernel names them.</summary>
internal sealed class ControlServer : IAsyncDisposable
{
    private readonly RelayHost _relay;
    private readonly SequencedPacketSocket _listener;
    private readonly uint _ownUser;
    private readonly uint? _group;
    private readonly ILogger _log;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _accepting;

    private ControlServer(RelayHost relay, SequencedPacketSocket listener, uint? group, ILogger log)
    {
        (_relay, _listener, _group, _log) = (relay, listener, group, log);
        _ownUser = listener.Credentials.UserId;
        _accepting = AcceptAsync();
    }

    /// <param name="group">Whose members may use it; null: nobody but root and the relay's own user.</param>
    /// <exception cref="IOException">The path cannot be listened on.</exception>
    public static ControlServer Start(RelayHost relay, string path, uint? group, ILogger log)
    {
        const UnixFileMode Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite;
        return new ControlServer(relay, SequencedPacketSocket.Listen(path, ControlConversation.MaxPacketBytes, Mode, group), group, log);
    }

    /// <summary>Another process listens on the path from now on; whoever has connected is still answered.</summary>
    public void StopListening() => _listener.Dispose();

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listener.Dispose();
        await _accepting;
        _stopping.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                SequencedPacketSocket socket = await _listener.AcceptAsync(_stopping.Token);
                _ = ServeAsync(socket);
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
            catch (System.Net.Sockets.SocketException) when (_listener.IsDisposed)
            {
                return;
            }
            catch (System.Net.Sockets.SocketException e)
            {
                _log.Failed("A command could not be accepted.", e);
            }
        }
    }

    private async Task ServeAsync(SequencedPacketSocket socket)
    {
        using ControlConversation conversation = new(socket);
        try
        {
            const uint Root = 0;
            PeerCredentials caller = socket.Credentials;
            if (caller.UserId != Root && caller.UserId != _ownUser && (_group is not { } group || !caller.IsMemberOf(group)))
            {
                await conversation.SendAsync(new RelayMessage { Failed = new RelayFailed { Reason = "This user may not command the relay: see control:group of its configuration." } });
                return;
            }

            ControlCommands commands = new(_relay, conversation, isOwner: caller.UserId == Root || caller.UserId == _ownUser, _log);
            while (await conversation.ReceiveAsync(_stopping.Token) is { } message)
                await commands.AnswerAsync(message, _stopping.Token);
        }
        catch (Exception e) when (e is KernelException or PacketException or InvalidProtocolBufferException or OperationCanceledException or ObjectDisposedException)
        {
            // It has gone, or said what nobody understands.
        }
        catch (Exception e)
        {
            _log.Failed("A command has failed.", e);
        }
    }
}
