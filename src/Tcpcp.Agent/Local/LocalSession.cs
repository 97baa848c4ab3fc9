using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Tcpcp.Agent.Passing;
using Tcpcp.Core.Wire;
using Tcpcp.Linux;
using Tcpcp.Linux.UnixSockets;
using Tcpcp.LocalApi;
using static Tcpcp.Core.Wire.LocalMessage;

namespace Tcpcp.Agent.Local;

/// <summary>The conversation with one program, until it disconnects or is sent away.</summary>
/// <param name="obstacle">Why it is sent away as soon as it has said Hello; before, its own message would fail, and it would not read the reason.</param>
internal sealed class LocalSession(LocalServer server, LocalChannel channel, int processId, CallerRights rights, string? obstacle) : IDisposable
{
    private readonly ConcurrentDictionary<string, LocalApplication> _applications = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _ended = new();
    private readonly SessionPasses _passes = new();
    private SessionOperations? _operations;

    public int ProcessId => processId;

    /// <summary>What it calls itself.</summary>
    public string Program { get; private set; } = "";

    public string? Obstacle => obstacle;

    public ICollection<string> Names => _applications.Keys;

    /// <summary>The program has gone.</summary>
    public CancellationToken Ended { get; private set; }

    public LocalServices Services => server.Services;

    public LocalServerOptions Options => server.Options;

    public IPassReceiver? FindReceiver(string application) => _applications.GetValueOrDefault(application);

    /// <summary>Sends without waiting; false if the program has gone.</summary>
    public bool Post(LocalMessage message, params IReadOnlyList<SafeHandle> descriptors) => channel.TryPost(message, descriptors);

    public ValueTask<bool> PostAsync(LocalMessage message) => channel.PostAsync(message, [], Ended);

    /// <summary>Says that a question cannot be answered.</summary>
    public void Refuse(LocalMessage question, string reason)
    {
        server.Report(LocalEventKind.Refused, this, $"{question.BodyCase}: {reason}");
        Post(LocalMessages.Failed(question, reason));
    }

    /// <summary>Serves the program to its end.</summary>
    public async Task RunAsync()
    {
        Ended = _ended.Token; // outlives its source
        try
        {
            if (!await GreetAsync())
                return;
            _operations = new SessionOperations(this);
            while (await channel.ReceiveAsync(CancellationToken.None) is { } packet)
            {
                using (packet)
                    Handle(packet);
            }
        }
        catch (PacketException e)
        {
            SendAway(e.Message);
        }
        catch (Exception e)
        {
            server.Report(LocalEventKind.Broken, this, e.ToString()); // a bug: this program alone must not end the agent
        }
        finally
        {
            End();
        }
    }

    public void SendAway(string reason)
    {
        server.Report(LocalEventKind.SentAway, this, reason);
        Post(LocalMessages.Failed(null, reason));
        channel.Close();
    }

    public void Close() => channel.Close();

    public void Dispose() => _ended.Dispose();

    public WantedQuestion Ask(string application, WantedPasses wanted, CancellationToken stop) =>
        _passes.Ask(this, application, wanted, stop);

    private async ValueTask<bool> GreetAsync()
    {
        using CancellationTokenSource timer = new(Options.HelloTime);
        try
        {
            using LocalPacket? first = await channel.ReceiveAsync(timer.Token);
            if (first is null)
                return false;
            if (first.Message.BodyCase != BodyOneofCase.Hello)
                throw new PacketException($"The first message was {first.Message.BodyCase}; it must be Hello.");
            first.RequireDescriptors(0);
            if (obstacle is not null)
                throw new PacketException(obstacle);
            if (first.Message.Hello.Version != LocalProtocol.Version)
                throw new PacketException($"The program speaks version {first.Message.Hello.Version} of the local protocol; this agent speaks version " +
                    $"{LocalProtocol.Version}. Use a library that fits the agent.");
            Program = first.Message.Hello.Program.Length <= LocalProtocol.MaxNameLength ? first.Message.Hello.Program : "";
        }
        catch (OperationCanceledException)
        {
            throw new PacketException($"No Hello came within {Options.HelloTime.TotalSeconds} s.");
        }

        server.Report(LocalEventKind.Connected, this, "");
        return Post(LocalMessages.Welcome(Services, Options));
    }

    private void Handle(LocalPacket packet)
    {
        LocalMessage message = packet.Message;
        bool isOperation = message.BodyCase is BodyOneofCase.ListPasses or BodyOneofCase.Settle or BodyOneofCase.Drain or BodyOneofCase.StopDrain or BodyOneofCase.GetStatus;
        if (isOperation ? !rights.MayOperate : !rights.MayPass)
        {
            Refuse(message, isOperation ? "This is for operators: run the command as root or in the operators' group." : "Only members of the applications' group may do this.");
            return;
        }

        switch (message.BodyCase)
        {
            case BodyOneofCase.Register:
                packet.RequireDescriptors(0);
                Register(message);
                break;
            case BodyOneofCase.Pass:
                _passes.Begin(this, packet);
                break;
            case BodyOneofCase.Cancel:
                _passes.Cancel(this, message);
                break;
            case BodyOneofCase.Quiesced:
                _passes.Quiesced(this, packet);
                break;
            case BodyOneofCase.WillPass:
                _passes.WillPass(this, message);
                break;
            case BodyOneofCase.Answer:
                Answer(message);
                break;
            case BodyOneofCase.Known:
                Known(packet);
                break;
            case BodyOneofCase.Failed:
                break; // of a question of ours: its time will be up
            default:
                packet.RequireDescriptors(0);
                if (!isOperation)
                    throw new PacketException($"{message.BodyCase} is nothing that a program says to an agent now.");
                _operations!.Handle(message);
                break;
        }
    }

    private void Register(LocalMessage message)
    {
        string name = message.Register.Application;
        if (name.Length is 0 or > LocalProtocol.MaxNameLength || name.Any(char.IsControl))
        {
            Refuse(message, $"An application's name has 1 to {LocalProtocol.MaxNameLength} printable characters.");
            return;
        }

        if (_applications.Count >= Options.MaxNames)
        {
            Refuse(message, $"This program has registered {Options.MaxNames} names already.");
            return;
        }

        LocalApplication application = new(this, name);
        if (!Services.TryRegister(application))
        {
            Refuse(message, $"An application named '{name}' is registered already: one program a name.");
            return;
        }

        _applications[name] = application;
        server.Report(LocalEventKind.Registered, this, name);
        Post(new LocalMessage { Request = message.Request, Registered = new Registered() });
    }

    private void Answer(LocalMessage message)
    {
        string? objection = message.Answer.Objection.Length == 0 ? null : message.Answer.Objection;
        if (LocalWire.PassOf(message) is not { } pass || !_applications.Values.Any(application => application.Answer(pass, objection)))
            Refuse(message, "No connections of this pass wait for an answer.");
    }

    private void Known(LocalPacket packet)
    {
        Known known = packet.Message.Known;
        if (LocalWire.PassOf(packet.Message) is not { } pass || LocalWire.TermsFrom(known.Ticket, known.Epoch) is not { } terms ||
            known.Side is not (JournalSide.Origin or JournalSide.Destination) || known.Connections.Count is 0 or > LocalProtocol.MaxConnections)
        {
            Refuse(packet.Message, $"Known needs pass id, ticket, side and 1 to {LocalProtocol.MaxConnections} connections.");
            return;
        }

        bool isLive = known.Side == JournalSide.Destination && known.IsLive;
        ReadOnlyMemory<byte> state = packet.ReadState(known.State, known.StateInDescriptor, isLive ? 0 : known.Connections.Count);
        for (int i = 0; !isLive && i < known.Connections.Count; i++)
        {
            if (packet.Descriptors.IsTcpSocket(i))
                continue;
            Refuse(packet.Message, $"Descriptor {i} is not a TCP socket.");
            return;
        }

        Services.KnownPasses.Claim(new KnownPass(this, known, pass, terms, LocalWire.ConnectionsFrom(known.Connections),
            [.. Enumerable.Range(0, isLive ? 0 : known.Connections.Count).Select(packet.Descriptors.Take)], state));
    }

    private void End()
    {
        channel.Dispose();
        foreach (LocalApplication application in _applications.Values)
        {
            Services.Unregister(application);
            application.End();
            server.Report(LocalEventKind.Unregistered, this, application.Application);
        }

        _ended.Cancel();
        _passes.End();
        if (channel.GivenUp is { } reason)
            server.Report(LocalEventKind.SentAway, this, reason);
    }
}
