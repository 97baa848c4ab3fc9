using System.Net;
using System.Net.Sockets;
using Google.Protobuf;
using Tcpcp.Core.Wire;
using Tcpcp.Linux.Streams;
using Tcpcp.Linux.UnixSockets;
using Tcpcp.Relay.Control;
using Tcpcp.Relay.Listening;
using Tcpcp.Relay.Passing;

namespace Tcpcp.Relay.Hosting;

/// <summary>Takes listening sockets and sessions from the process of the relay that runs on this host (<see cref="Handover"/>).</summary>
/// <param name="findListener">By its name; null: there is none here.</param>
internal sealed class Succession(SessionReceiver receiver, Func<string, Listener?> findListener)
{
    private readonly List<byte> _state = [];

    public int Listeners { get; private set; }

    public int Sessions { get; private set; }

    /// <summary>Returns when that process has nothing more that can be taken.</summary>
    /// <param name="controlSocket">Of that process.</param>
    /// <exception cref="IOException">There is none, or it does not give anything.</exception>
    public async Task RunAsync(string controlSocket)
    {
        using ControlConversation conversation = new(await SequencedPacketSocket.ConnectAsync(controlSocket, ControlConversation.MaxPacketBytes, CancellationToken.None));
        await conversation.SendAsync(new RelayMessage { TakeOver = new TakeOver { Version = Handover.Version } });
        while (true)
        {
            if (await ReceiveAsync(conversation) is not (RelayMessage message, ReceivedPacket packet))
            {
                // It has died. What it has given is here; the rest has ended with it.
                if (Listeners + Sessions > 0)
                    return;
                throw new IOException("The relay that was to be taken over has gone away, and has given nothing.");
            }

            using (packet)
            {
                switch (message.BodyCase)
                {
                    case RelayMessage.BodyOneofCase.HandedListener:
                        await TakeAsync(message.HandedListener, packet, conversation);
                        break;
                    case RelayMessage.BodyOneofCase.HandedSession:
                        await TakeAsync(message.HandedSession, packet, conversation);
                        break;
                    case RelayMessage.BodyOneofCase.Done:
                        return;
                    case RelayMessage.BodyOneofCase.Failed:
                        throw new IOException($"The relay that runs here gives nothing: {message.Failed.Reason}");
                    default:
                        throw new IOException("What has answered is no relay, or one that is too new.");
                }
            }
        }
    }

    private static async Task<(RelayMessage Message, ReceivedPacket Packet)?> ReceiveAsync(ControlConversation conversation)
    {
        try
        {
            return await conversation.ReceivePacketAsync(CancellationToken.None);
        }
        catch (Exception e) when (e is PacketException or InvalidProtocolBufferException)
        {
            throw new IOException("What has answered is no relay.", e);
        }
    }

    private async Task TakeAsync(HandedListener handed, ReceivedPacket packet, ControlConversation conversation)
    {
        string obstacle = "It is not configured here.";
        if (packet.Descriptors.Count == 1 && handed.Address is { Port: <= ushort.MaxValue } address && address.Address.Length is 4 or 16 && findListener(handed.Name) is { } listener)
        {
            IPEndPoint endPoint = new(new IPAddress(handed.Address.Address.Span), (int)handed.Address.Port);
            Socket socket = new(packet.Descriptors.TakeSocket(0));
            if (listener.Adopt(endPoint, socket))
            {
                (obstacle, Listeners) = ("", Listeners + 1);
            }
            else
            {
                StreamSocket.Leave(socket); // the other process still listens
            }
        }

        await AnswerAsync(conversation, obstacle);
    }

    private async Task TakeAsync(HandedSession handed, ReceivedPacket packet, ControlConversation conversation)
    {
        _state.AddRange(handed.Part.Span);
        if (!handed.IsLast)
            return;
        byte[] state = [.. _state];
        _state.Clear();
        if (packet.Descriptors.Count != 2 || !packet.Descriptors.IsTcpSocket(0) || !packet.Descriptors.IsTcpSocket(1))
        {
            await AnswerAsync(conversation, "A session has two sockets.");
            return;
        }

        if (receiver.Take(state, handed.Epoch, out string obstacle) is not { } begin)
        {
            await AnswerAsync(conversation, obstacle);
            return;
        }

        try
        {
            await AnswerAsync(conversation, ""); // from here on it is this process's
        }
        catch
        {
            begin(null, null);
            throw;
        }

        Sessions++;
        begin(new Socket(packet.Descriptors.TakeSocket(0)), new Socket(packet.Descriptors.TakeSocket(1)));
    }

    private static Task AnswerAsync(ControlConversation conversation, string obstacle) =>
        conversation.SendAsync(new RelayMessage { Handed = new HandedAnswer { Obstacle = obstacle } });
}
