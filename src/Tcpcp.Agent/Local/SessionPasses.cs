using System.Net.Sockets;
using Tcpcp.Core;
using Tcpcp.Core.Wire;
using Tcpcp.LocalApi;

namespace Tcpcp.Agent.Local;

/// <summary>The passes that one program has asked for, and what it was asked to pass. Thread-safe.</summary>
internal sealed class SessionPasses
{
    private readonly Dictionary<ulong, LocalPass> _passes = [];
    private readonly Dictionary<ulong, WantedQuestion> _wanted = [];
    private readonly Lock _lock = new();
    private ulong _lastQuestion;
    private bool _isEnded;

    public void Begin(LocalSession session, LocalPacket packet)
    {
        LocalMessage message = packet.Message;
        PassConnections order = message.Pass;
        int count = packet.Descriptors.Count;
        WantedQuestion? wanted;
        lock (_lock)
            wanted = _wanted.GetValueOrDefault(order.Wanted);
        string? obstacle = message.Request == 0 ? "The request has no number."
            : count is 0 or > LocalProtocol.MaxConnections ? $"{count} descriptors came with it; a pass takes 1 to {LocalProtocol.MaxConnections}."
            : order.Application.Length is 0 or > LocalProtocol.MaxNameLength ? "Name the application that takes the connections at the destination."
            : order.Wanted != 0 && wanted is null ? "Nobody wants these connections any more."
            : order.Wanted == 0 && order.Destination.Length == 0 ? "Name the destination's agent."
            : null;
        for (int i = 0; obstacle is null && i < count; i++)
            obstacle = packet.Descriptors.IsTcpSocket(i) ? null : $"Descriptor {i} is not a TCP socket.";
        if (obstacle is not null)
        {
            session.Refuse(message, obstacle);
            return;
        }

        Socket[] sockets = [.. Enumerable.Range(0, count).Select(number => new Socket(packet.Descriptors.TakeSocket(number)))];
        LocalPass pass = new(session, message.Request, order, sockets, wanted);
        lock (_lock)
        {
            obstacle = _passes.ContainsKey(message.Request) ? $"Request {message.Request} is open already."
                : _passes.Count >= session.Options.MaxRequests ? $"{_passes.Count} requests are open already: wait for one."
                : null;
            if (obstacle is null)
                _passes[message.Request] = pass;
        }

        if (obstacle is not null)
        {
            pass.Discard();
            session.Refuse(message, obstacle);
            return;
        }

        _ = RunAsync(pass);
    }

    public void Cancel(LocalSession session, LocalMessage message)
    {
        LocalPass? pass;
        lock (_lock)
            pass = _passes.GetValueOrDefault(message.Request);
        if (pass is null)
            session.Refuse(message, $"No pass of request {message.Request} is open.");
        else
            pass.Cancel();
    }

    public void Quiesced(LocalSession session, LocalPacket packet)
    {
        Quiesced quiesced = packet.Message.Quiesced;
        ReadOnlyMemory<byte> state = packet.ReadState(quiesced.State, quiesced.StateInDescriptor, sockets: 0);
        LocalPass[] passes;
        lock (_lock)
            passes = [.. _passes.Values];
        if (LocalWire.PassOf(packet.Message) is not { } id || !passes.Any(pass => pass.TakeState(id, quiesced.Objection, state)))
            session.Refuse(packet.Message, "No pass waits for this state.");
    }

    public WantedQuestion Ask(LocalSession session, string application, WantedPasses wanted, CancellationToken stop)
    {
        lock (_lock)
        {
            WantedQuestion question = new(++_lastQuestion, wanted, Forget, session.Options.QuiesceTime, stop);
            _wanted[question.Number] = question;
            if (_isEnded)
                question.End();
            LocalMessage message = new() { Request = question.Number, PassWanted = new PassWanted { Application = application, Destination = wanted.Destination } };
            message.PassWanted.Connections.Add(wanted.Connections.Select(EndPointWire.ToMessage));
            if (!session.Post(message))
                question.End();
            return question;
        }
    }

    public void WillPass(LocalSession session, LocalMessage message)
    {
        WantedQuestion? question;
        lock (_lock)
            question = _wanted.GetValueOrDefault(message.Request);
        if (question is null)
            session.Refuse(message, "Nobody wants these connections any more.");
        else
            question.Expect((int)Math.Min(message.WillPass.Passes, int.MaxValue), (int)Math.Min(Math.Max(message.WillPass.Connections, message.WillPass.Passes), int.MaxValue));
    }

    /// <summary>The program has gone: what can still be given up is.</summary>
    public void End()
    {
        lock (_lock)
        {
            _isEnded = true;
            foreach (WantedQuestion question in _wanted.Values)
                question.End();
        }
    }

    private async Task RunAsync(LocalPass pass)
    {
        await Task.Yield(); // the program's next message need not wait for this one
        await pass.RunAsync(ended =>
        {
            lock (_lock)
                _passes.Remove(ended.Request);
        });
    }

    private void Forget(WantedQuestion question)
    {
        lock (_lock)
            _wanted.Remove(question.Number);
    }
}
