using System.Net.Sockets;
using System.Runtime.InteropServices;
using Google.Protobuf;
using Tcpcp.Client;
using Tcpcp.Core;
using Tcpcp.Core.Wire;
using Tcpcp.Fuzz.Fuzzing;
using Tcpcp.Linux;
using Tcpcp.Linux.UnixSockets;
using Tcpcp.LocalApi;
using static Tcpcp.Core.Wire.LocalMessage;

namespace Tcpcp.Fuzz.Targets;

/// <summary>
/// What an agent says to a program over the local socket (<see cref="LocalScript"/>) instead of the answer to a question, which field 3 chooses. A living client answers its caller, by
/// <see cref="AgentException"/> if need be, and can be asked again.
/// </summary>
internal sealed class LocalClientTarget : FuzzTarget
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(10);

    private readonly string _directory = $"/dev/shm/tcpcp-fuzz-{Guid.NewGuid():N}";
    private readonly CancellationTokenSource _ending = new();
    private SequencedPacketSocket? _listener;
    private AgentClient? _client;
    private List<WireField> _script = [];

    public override string Name => "local-client";

    public override bool IsGuided => false;

    public override IEnumerable<byte[]> Seeds()
    {
        foreach (LocalMessage message in LocalMessageTarget.Messages())
        {
            byte[] script = LocalScript.Of((message, 0));
            for (ulong question = 0; question < 4; question++)
                yield return [.. WireFields.Write([WireField.Of(3, question)]), .. script];
        }

        LocalMessage arriving = LocalMessageTarget.Messages().First(message => message.BodyCase == BodyOneofCase.Arriving).Clone();
        arriving.Arriving.Ended.Clear();
        yield return LocalScript.Of((arriving, 1), (new LocalMessage { PassId = Samples.Id, Go = new Go() }, 0), (arriving, 2), (new LocalMessage { PassId = Samples.Id, Go = new Go() }, 0));
        yield return LocalScript.Of((arriving, 1), (new LocalMessage { PassId = Samples.Id, Withdrawn = new Withdrawn() }, 0));
    }

    public override void Run(byte[] input)
    {
        if (WireFields.Read(input) is not { } fields)
            return;
        _client ??= Start();
        _script = fields;
        Task asking = AskAsync(_client, fields.FirstOrDefault(field => field.Number == 3).Value);
        if (!((IAsyncResult)asking).AsyncWaitHandle.WaitOne(s_limit))
            throw new TimeoutException("The client does not answer its caller any more.");
        if (asking.Exception?.InnerException is { } e and not AgentException)
            throw new InvalidOperationException(e.ToString(), e);
    }

    public override void Dispose()
    {
        _ending.Cancel();
        _client?.DisposeAsync().AsTask().Wait(s_limit);
        _listener?.Dispose();
        _ending.Dispose();
        if (Directory.Exists(_directory))
            Directory.Delete(_directory, recursive: true);
        base.Dispose();
    }

    private static async Task AskAsync(AgentClient client, ulong question)
    {
        switch (question % 4)
        {
            case 0:
                await client.GetStatusAsync();
                break;
            case 1:
                await client.ListPassesAsync();
                break;
            case 2:
                await client.SettlePassAsync(PassId.New(), SettleWay.AskAgain);
                break;
            default:
                await foreach (Client.DrainProgress _ in client.DrainAsync(new DrainOrder { Destinations = ["host-b"] }))
                {
                }

                break;
        }
    }

    private AgentClient Start()
    {
        Directory.CreateDirectory(_directory);
        string path = Path.Combine(_directory, "agent.sock");
        _listener = SequencedPacketSocket.Listen(path, LocalProtocol.MaxPacketBytes, UnixFileMode.UserRead | UnixFileMode.UserWrite, group: null);
        _ = ServeAsync(_listener);
        TimeSpan soon = TimeSpan.FromMilliseconds(1);
        AgentClient client = AgentClient.ConnectAsync(new AgentClientOptions { Path = path, ReconnectBackOff = soon, ReconnectBackOffMax = soon, LiveMemory = soon }).Result;
        client.RegisterAsync("echo", new Receiver()).Wait();
        return client;
    }

    private async Task ServeAsync(SequencedPacketSocket listener)
    {
        while (!_ending.IsCancellationRequested)
        {
            using SequencedPacketSocket socket = await listener.AcceptAsync(_ending.Token);
            try
            {
                while (await socket.ReceiveAsync(_ending.Token) is { } packet)
                {
                    using (packet)
                        Answer(socket, LocalMessage.Parser.ParseFrom(packet.Data));
                }
            }
            catch (Exception e) when (e is KernelException or PacketException)
            {
                // The client has gone away, and comes again.
            }
        }
    }

    private void Answer(SequencedPacketSocket socket, LocalMessage message)
    {
        switch (message.BodyCase)
        {
            case BodyOneofCase.Hello:
                Send(socket, new LocalMessage { Welcome = new Welcome { Version = 1, Host = "host-a", Incarnation = Samples.Id, MaxRequests = 4 } });
                break;
            case BodyOneofCase.Register:
                Send(socket, new LocalMessage { Request = message.Request, Registered = new Registered() });
                break;
            case BodyOneofCase.GetStatus or BodyOneofCase.ListPasses or BodyOneofCase.Settle or BodyOneofCase.Drain:
                foreach ((byte[] bytes, IReadOnlyList<SafeHandle> descriptors) in LocalScript.Read(_script))
                    socket.TrySend(Addressed(bytes, message.Request), descriptors);
                Send(socket, new LocalMessage { Request = message.Request, Failed = new Failed { Reason = "That was all." } });
                break;
            default:
                break;
        }
    }

    // A message with the number 1 answers the question.
    private static byte[] Addressed(byte[] bytes, ulong request)
    {
        if (WireFields.Read(bytes) is { } fields && fields.FindIndex(field => field is { Number: 1, Type: 0, Value: 1 }) is >= 0 and int at)
        {
            fields[at] = fields[at] with { Value = request };
            bytes = WireFields.Write(fields);
        }

        return bytes.Length <= LocalProtocol.MaxPacketBytes ? bytes : bytes[..LocalProtocol.MaxPacketBytes];
    }

    private static void Send(SequencedPacketSocket socket, LocalMessage message) => socket.TrySend(message.ToByteArray(), []);

    private sealed class Receiver : IConnectionReceiver
    {
        public ValueTask<string?> ExamineAsync(ArrivingConnections arriving, CancellationToken cancellationToken) => ValueTask.FromResult<string?>(null);

        public void Go(ArrivingConnections arriving, IReadOnlyList<Socket?> sockets)
        {
            foreach (Socket? socket in sockets)
                socket?.Dispose();
        }
    }
}
