using System.Net;
using Google.Protobuf;
using Microsoft.Extensions.Logging;
using Tcpcp.Core.Wire;
using Tcpcp.Relay.Control;
using Tcpcp.Relay.Listening;
using Tcpcp.Relay.Sessions;

namespace Tcpcp.Relay.Hosting;

/// <summary>
/// Gives listening sockets and sessions to a new process of the relay on this host, as descriptors: nothing is frozen, and no kernel's state moves. A session is in one process alone at every moment: it
/// stands still here until the other one has said that it has it. If that one goes away before, it goes on here.
/// </summary>
internal sealed class Handover(RelayHost relay, ControlConversation conversation, ILogger log)
{
    /// <summary>Of what is handed over.</summary>
    public const uint Version = 1;

    private const int PartBytes = 8 << 10;

    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(10);

    private readonly HashSet<Session> _staying = [];

    /// <summary>Sessions that the other process has now.</summary>
    public int Taken { get; private set; }

    /// <summary>Sessions that it could not take: they go on here.</summary>
    public int Staying => _staying.Count(session => !session.IsOver);

    /// <exception cref="Linux.KernelException">The other process has gone away; what it has not taken is still here.</exception>
    public async Task RunAsync()
    {
        foreach (Listener listener in relay.Listeners)
        {
            await listener.PauseAsync();
            foreach ((IPEndPoint address, System.Net.Sockets.Socket socket) in listener.Sockets)
            {
                HandedListener handed = new() { Name = listener.Name, Address = new Core.Wire.EndPoint { Address = ByteString.CopyFrom(address.Address.GetAddressBytes()), Port = (uint)address.Port } };
                await conversation.SendAsync(new RelayMessage { HandedListener = handed }, socket.SafeHandle);
                if (await AnswerAsync() is { Length: > 0 } obstacle)
                    log.ListenerNotTaken(listener.Name, address, obstacle);
            }
        }

        // With those that are still being opened. They have a place at their listener before they are among the open ones: so the places are counted first.
        while (true)
        {
            Listener[] listeners = [.. relay.Listeners];
            int places = listeners.Sum(listener => listener.Sessions);
            Session[] open = [.. relay.Sessions.All];
            Session[] left = [.. open.Except(_staying)];
            foreach (Session session in left)
                await HandAsync(session);
            if (left.Length > 0)
                continue;
            if (places <= open.Count(session => listeners.Contains(session.Identity.ClientPlace.Listener)))
                return;
            await Task.Delay(s_look);
        }
    }

    private async Task HandAsync(Session session)
    {
        ReadOnlyMemory<byte> state;
        try
        {
            state = await session.QuiesceAsync(hosts: 0);
        }
        catch (InvalidOperationException)
        {
            return; // it has ended
        }

        try
        {
            for (int sent = 0; sent < state.Length; sent += PartBytes)
            {
                ReadOnlyMemory<byte> part = state[sent..Math.Min(state.Length, sent + PartBytes)];
                HandedSession handed = new() { Part = UnsafeByteOperations.UnsafeWrap(part), IsLast = sent + part.Length == state.Length, Epoch = session.Identity.Epoch };
                await conversation.SendAsync(new RelayMessage { HandedSession = handed }, handed.IsLast ? [.. session.Sockets.Select(socket => socket.SafeHandle)] : []);
            }

            if (await AnswerAsync() is { Length: > 0 } obstacle)
            {
                _staying.Add(session);
                session.Start();
                log.SessionStays(session.Identity.Id, session.Identity.ClientPlace.Listener.Name, "not taken over", obstacle);
                return;
            }
        }
        catch
        {
            session.Start();
            throw;
        }

        await session.LeaveAsync();
        Taken++;
    }

    // Empty: it was taken.
    private async Task<string> AnswerAsync() =>
        await conversation.ReceiveAsync(CancellationToken.None) is { BodyCase: RelayMessage.BodyOneofCase.Handed } answer ? answer.Handed.Obstacle
            : throw Linux.KernelException.Of("recv (handover)", Linux.Errno.ECONNRESET, "the new process has gone away");
}
