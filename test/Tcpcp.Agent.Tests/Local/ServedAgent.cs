using System.Collections.Concurrent;
using Tcpcp.Agent.Local;
using Tcpcp.Agent.Passing;
using Tcpcp.Client;
using Tcpcp.Core;
using Tcpcp.Core.Wire;
using Tcpcp.Linux.UnixSockets;
using Tcpcp.LocalApi;

namespace Tcpcp.Agent.Tests.Local;

/// <summary>A local server over a real socket, in this process; what is behind it, each test says.</summary>
internal sealed class ServedAgent : IAsyncDisposable
{
    private readonly LocalServerOptions _options;
    private readonly string _directory = Directory.CreateDirectory($"/dev/shm/tcpcp-test-{Guid.NewGuid():N}").FullName;

    private ServedAgent(Func<LocalServerOptions, LocalServerOptions> change)
    {
        _options = change(new LocalServerOptions { Path = Path.Combine(_directory, "agent.sock") });
        Server = LocalServer.Start(NewServices(), _options, Events.Enqueue);
    }

    public LocalServer Server { get; private set; }

    public string SocketPath => _options.Path;

    public ConcurrentQueue<LocalEvent> Events { get; } = new();

    public ConcurrentDictionary<string, IPassReceiver> Receivers { get; } = new(StringComparer.Ordinal);

    public ConcurrentQueue<KnownPass> Claims { get; } = new();

    public RecordingOperations Operations { get; } = new();

    /// <summary>What becomes of passes; by default <see cref="PassTo"/> the destination.</summary>
    public Func<PassRequest, string, CancellationToken, Task<PassResult>> PassAsync { get; set; } = PassTo(new PassResult(PassFailure.None, ConnectionOwner.Destination, ""));

    public static ServedAgent Start(Func<LocalServerOptions, LocalServerOptions>? change = null) => new(change ?? (options => options));

    /// <summary>The origin's part as an application sees it: it begins, the application stops, the outcome is as given.</summary>
    public static Func<PassRequest, string, CancellationToken, Task<PassResult>> PassTo(PassResult result, Action<ReadOnlyMemory<byte>>? quiesced = null) =>
        async (request, destination, cancellationToken) =>
        {
            request.Begun!(new PassNote(PassId.New(), destination, new PassTicket(Guid.NewGuid(), 1), request.Epoch + 1));
            try
            {
                ReadOnlyMemory<byte> state = await request.QuiesceAsync(cancellationToken);
                quiesced?.Invoke(state);
                return result;
            }
            catch (NotPassableException e)
            {
                return new PassResult(PassFailure.NotPassable, ConnectionOwner.Origin, e.Message);
            }
            catch (OperationCanceledException)
            {
                return new PassResult(PassFailure.Cancelled, ConnectionOwner.Origin, "The pass was cancelled.");
            }
        };

    /// <summary>The agent ends and another one starts.</summary>
    public async Task RestartAsync()
    {
        await Server.DisposeAsync();
        Server = LocalServer.Start(NewServices(), _options, Events.Enqueue);
    }

    public Task<AgentClient> ConnectAsync() => AgentClient.ConnectAsync(new AgentClientOptions
    {
        Path = SocketPath,
        Program = "test",
        ReconnectBackOff = TimeSpan.FromMilliseconds(1),
        ReconnectBackOffMax = TimeSpan.FromMilliseconds(10),
    });

    /// <summary>A program that has said nothing yet.</summary>
    public ValueTask<SequencedPacketSocket> ConnectSilentAsync(int maxBytes = LocalProtocol.MaxPacketBytes) =>
        SequencedPacketSocket.ConnectAsync(SocketPath, maxBytes, CancellationToken.None);

    /// <summary>A program that speaks by hand, after the welcome.</summary>
    public async Task<LocalChannel> ConnectByHandAsync()
    {
        LocalChannel channel = new(await ConnectSilentAsync(), capacity: 8);
        channel.TryPost(new LocalMessage { Hello = new Hello { Version = LocalProtocol.Version, Program = "by hand" } });
        Assert.Equal(LocalMessage.BodyOneofCase.Welcome, (await HearAsync(channel)).BodyCase);
        return channel;
    }

    public static async Task<LocalMessage> HearAsync(LocalChannel channel)
    {
        using LocalPacket? packet = await channel.ReceiveAsync(CancellationToken.None).AsTask().WaitAsync(TimeSpan.FromSeconds(20));
        return packet?.Message ?? throw new InvalidOperationException("The agent has closed.");
    }

    /// <summary>The agent says why, closes, and serves others.</summary>
    public async Task AssertSentAwayAsync(LocalChannel channel, string reason)
    {
        Assert.Contains(reason, (await HearAsync(channel)).Failed.Reason, StringComparison.Ordinal);
        Assert.Null(await channel.ReceiveAsync(CancellationToken.None).AsTask().WaitAsync(TimeSpan.FromSeconds(20)));
        await Until.True(() => Events.Any(what => what.Kind == LocalEventKind.SentAway));
        using LocalChannel other = await ConnectByHandAsync();
    }

    /// <summary>The agent says why not, and goes on with this program.</summary>
    public static async Task AssertRefusedAsync(LocalChannel channel, string reason)
    {
        Assert.Contains(reason, (await HearAsync(channel)).Failed.Reason, StringComparison.Ordinal);
        channel.TryPost(new LocalMessage { Request = 99, GetStatus = new GetStatus() });
        Assert.Equal(LocalMessage.BodyOneofCase.Status, (await HearAsync(channel)).BodyCase);
    }

    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    private LocalServices NewServices() => new()
    {
        Host = "host-a",
        Version = "1.2.3",
        Incarnation = Guid.NewGuid(),
        Destinations = () => ["host-b", "host-c"],
        TryRegister = receiver => Receivers.TryAdd(receiver.Application, receiver),
        Unregister = receiver => Receivers.TryRemove(KeyValuePair.Create(receiver.Application, receiver)),
        PassAsync = (request, destination, cancellationToken) => PassAsync(request, destination, cancellationToken),
        Operations = Operations,
        KnownPasses = new ClaimQueue(Claims),
    };

    private sealed class ClaimQueue(ConcurrentQueue<KnownPass> claims) : IKnownPasses
    {
        public void Claim(KnownPass claim) => claims.Enqueue(claim);
    }
}
