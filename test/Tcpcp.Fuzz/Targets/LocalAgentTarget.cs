using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Google.Protobuf;
using Tcpcp.Agent.Local;
using Tcpcp.Agent.Passing;
using Tcpcp.Agent.Tests.Local;
using Tcpcp.Client;
using Tcpcp.Core;
using Tcpcp.Core.Wire;
using Tcpcp.Fuzz.Fuzzing;
using Tcpcp.Linux;
using Tcpcp.Linux.UnixSockets;
using Tcpcp.LocalApi;
using static Tcpcp.Core.Wire.LocalMessage;

namespace Tcpcp.Fuzz.Targets;

/// <summary>What a program says to an agent over the local socket (<see cref="LocalScript"/>): a living server answers, sends it away, and has no fault.</summary>
internal sealed class LocalAgentTarget : FuzzTarget
{
    private const ulong LastRequest = 0xF00D_F00D_F00D;

    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(10);

    private readonly string _directory = $"/dev/shm/tcpcp-fuzz-{Guid.NewGuid():N}";
    private readonly ConcurrentQueue<LocalEvent> _events = [];
    private LocalServer? _server;

    public override string Name => "local-agent";

    public override bool IsGuided => false;

    public override IEnumerable<byte[]> Seeds()
    {
        LocalMessage hello = new() { Hello = new Hello { Version = 1, Program = "p" } };
        foreach (LocalMessage message in LocalMessageTarget.Messages())
            yield return LocalScript.Of((hello, 0), (message, message.BodyCase is BodyOneofCase.Pass or BodyOneofCase.Known ? 1UL : 0), (message, 5));
        yield return LocalScript.Of([(hello, 0), .. LocalMessageTarget.Messages().Select(message => (message, message.BodyCase == BodyOneofCase.Pass ? 4UL : 0))]);
    }

    public override void Run(byte[] input)
    {
        if (WireFields.Read(input) is not { } fields)
            return;
        _server ??= Start();
        _events.Clear();
        Task<string?> talking = TalkAsync(LocalScript.Read(fields));
        if (!talking.Wait(s_limit))
            throw new TimeoutException($"The agent does not answer any more: {string.Join(' ', _events)}");
        if (talking.Result is { } fault)
            throw new InvalidOperationException(fault);
        if (!SpinWait.SpinUntil(() => _events.Any(what => what.Kind == LocalEventKind.Disconnected), s_limit))
            throw new TimeoutException("The agent does not end the conversation.");
        if (_events.FirstOrDefault(what => what.Kind == LocalEventKind.Broken) is { Detail: { } broken })
            throw new InvalidOperationException(broken);
    }

    public override void Dispose()
    {
        _server?.DisposeAsync().AsTask().Wait();
        if (Directory.Exists(_directory))
            Directory.Delete(_directory, recursive: true);
        base.Dispose();
    }

    // Returns a fault of the agent, if it has admitted one.
    private async Task<string?> TalkAsync(IEnumerable<(byte[] Message, IReadOnlyList<SafeHandle> Descriptors)> packets)
    {
        using SequencedPacketSocket socket = await SequencedPacketSocket.ConnectAsync(Path.Combine(_directory, "agent.sock"), LocalProtocol.MaxPacketBytes, CancellationToken.None);
        try
        {
            foreach ((byte[] message, IReadOnlyList<SafeHandle> descriptors) in packets)
                socket.TrySend(message.Length <= LocalProtocol.MaxPacketBytes ? message : message[..LocalProtocol.MaxPacketBytes], descriptors);
            socket.TrySend(new LocalMessage { Request = LastRequest, GetStatus = new GetStatus() }.ToByteArray(), []);
        }
        catch (KernelException)
        {
            // It was sent away: the reason can be read still.
        }

        while (await socket.ReceiveAsync(CancellationToken.None) is { } packet)
        {
            using (packet)
            {
                LocalMessage answer = LocalMessage.Parser.ParseFrom(packet.Data);
                if (answer.Failed?.Reason.StartsWith("The agent failed", StringComparison.Ordinal) == true || answer.Passed?.Owner == PassOwner.InDoubt)
                    return answer.ToString();
                if (answer.Request == LastRequest)
                    return null;
            }
        }

        return null;
    }

    private LocalServer Start()
    {
        Directory.CreateDirectory(_directory);
        LocalServices services = new()
        {
            Host = "host-a",
            Version = "1.2.3",
            Incarnation = Guid.NewGuid(),
            Destinations = () => ["host-b"],
            TryRegister = _ => true,
            Unregister = _ => { },
            PassAsync = PassAsync,
            Operations = new RecordingOperations(),
            KnownPasses = new NoClaims(),
        };
        return LocalServer.Start(services, new LocalServerOptions { Path = Path.Combine(_directory, "agent.sock"), QuiesceTime = TimeSpan.FromMilliseconds(20) }, _events.Enqueue);
    }

    private static async Task<PassResult> PassAsync(PassRequest request, string destination, CancellationToken cancellationToken)
    {
        request.Begun!(new PassNote(PassId.New(), destination, new PassTicket(Guid.NewGuid(), 1), request.Epoch + 1));
        try
        {
            await request.QuiesceAsync(cancellationToken);
            return new PassResult(PassFailure.None, ConnectionOwner.Destination, "");
        }
        catch (Exception e) when (e is NotPassableException or OperationCanceledException)
        {
            return new PassResult(PassFailure.Cancelled, ConnectionOwner.Origin, e.Message);
        }
    }

    private sealed class NoClaims : IKnownPasses
    {
        public void Claim(KnownPass claim)
        {
            using (claim)
            {
                if (claim.Role == HostRole.Destination)
                    claim.Withdraw();
            }
        }
    }
}
