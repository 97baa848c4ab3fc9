using System.Runtime.CompilerServices;
using Google.Protobuf;
using Tcpcp.Core.Wire;
using Tcpcp.Linux.UnixSockets;

namespace Tcpcp.Relay.Control;

/// <summary>Speaks with the relay of this host, for its commands.</summary>
internal sealed class RelayClient : IDisposable
{
    private readonly ControlConversation _conversation;

    private RelayClient(SequencedPacketSocket socket) => _conversation = new ControlConversation(socket);

    /// <exception cref="IOException">No relay listens there, or this user may not.</exception>
    public static async Task<RelayClient> ConnectAsync(string path) =>
        new(await SequencedPacketSocket.ConnectAsync(path, ControlConversation.MaxPacketBytes, CancellationToken.None));

    /// <summary>Asks; one question at a time.</summary>
    /// <param name="stop">For sessions that move: no new one begins.</param>
    /// <returns>What is answered, but for the end.</returns>
    /// <exception cref="RelayRefusedException">The relay does not do it.</exception>
    public async IAsyncEnumerable<RelayMessage> AskAsync(RelayMessage question, [EnumeratorCancellation] CancellationToken stop = default)
    {
        await _conversation.SendAsync(question);
        using CancellationTokenRegistration stopping = stop.Register(() => _ = _conversation.SendAsync(new RelayMessage { StopMoving = new StopMoving() }));
        while (true)
        {
            RelayMessage? answer;
            try
            {
                answer = await _conversation.ReceiveAsync(CancellationToken.None);
            }
            catch (Exception e) when (e is PacketException or InvalidProtocolBufferException)
            {
                throw new RelayRefusedException("What has answered is no relay.");
            }

            switch (answer?.BodyCase)
            {
                case null:
                    throw new RelayRefusedException("The relay has gone away.");
                case RelayMessage.BodyOneofCase.Done:
                    yield break;
                case RelayMessage.BodyOneofCase.Failed:
                    throw new RelayRefusedException(answer.Failed.Reason);
                default:
                    yield return answer;
                    break;
            }
        }
    }

    public void Dispose() => _conversation.Dispose();
}

/// <summary>The relay says why not, in one sentence.</summary>
internal sealed class RelayRefusedException(string reason) : IOException(reason);
