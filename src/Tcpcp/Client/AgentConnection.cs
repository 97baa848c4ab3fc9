using Tcpcp.Core.Wire;
using Tcpcp.Linux;
using Tcpcp.Linux.UnixSockets;
using Tcpcp.LocalApi;

namespace Tcpcp.Client;

/// <summary>One connection to the agent, after its welcome.</summary>
internal sealed class AgentConnection : IDisposable
{
    private const int MaxWaitingPackets = 64;

    private AgentConnection(LocalChannel channel, Welcome welcome) => (Channel, Welcome) = (channel, welcome);

    public LocalChannel Channel { get; }

    public Welcome Welcome { get; }

    /// <exception cref="AgentException">The agent is not there, or does not want this program.</exception>
    public static async Task<AgentConnection> OpenAsync(AgentClientOptions options, CancellationToken cancellationToken)
    {
        LocalChannel? channel = null;
        try
        {
            channel = new LocalChannel(
                await SequencedPacketSocket.ConnectAsync(options.Path, LocalProtocol.MaxPacketBytes, cancellationToken), MaxWaitingPackets);
            channel.TryPost(new LocalMessage { Hello = new Hello { Version = LocalProtocol.Version, Program = options.Program } });
            using LocalPacket first = await channel.ReceiveAsync(cancellationToken) ?? throw new AgentException("The agent closed the connection without a word.");
            return first.Message.BodyCase switch
            {
                LocalMessage.BodyOneofCase.Welcome => new AgentConnection(channel, first.Message.Welcome),
                LocalMessage.BodyOneofCase.Failed => throw new AgentException(first.Message.Failed.Reason),
                _ => throw new AgentException($"'{options.Path}' is not an agent's socket: {first.Message.BodyCase} came instead of a welcome."),
            };
        }
        catch (Exception e)
        {
            channel?.Dispose();
            throw e is IOException and not AgentException
                ? new AgentException($"The agent of this host was not reached: {e.Message.TrimEnd('.')}. Is it running, and may this program use it?", e)
                : e;
        }
    }

    /// <summary>Waits for the agent to take it.</summary>
    /// <returns>False if the connection has ended.</returns>
    public ValueTask<bool> PostAsync(LocalMessage message, CancellationToken cancellationToken, params IReadOnlyList<System.Runtime.InteropServices.SafeHandle> descriptors) =>
        Channel.PostAsync(message, descriptors, cancellationToken);

    public void Dispose() => Channel.Dispose();
}
