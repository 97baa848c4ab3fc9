using Google.Protobuf;
using Microsoft.Extensions.Logging;
using Tcpcp.Client;
using Tcpcp.Core;
using Tcpcp.Core.Wire;
using Tcpcp.Linux;
using Tcpcp.Linux.Processes;
using Tcpcp.Relay.Hosting;
using Tcpcp.Relay.Passing;
using Tcpcp.Relay.Servers;
using Tcpcp.Relay.Sessions;
using Tcpcp.Relay.Settings;

namespace Tcpcp.Relay.Control;

/// <summary>Does what one caller asks for.</summary>
/// <param name="isOwner">The caller is root, or the relay's own user: it may have what the relay has.</param>
internal sealed class ControlCommands(RelayHost relay, ControlConversation conversation, bool isOwner, ILogger log)
{
    private const int NanosecondsPerTick = 100;
    private const string IsAnswered = "answered";

    public async Task AnswerAsync(RelayMessage message, CancellationToken stop)
    {
        string? fault = message.BodyCase switch
        {
            RelayMessage.BodyOneofCase.GetStatus => await TellStatusAsync(),
            RelayMessage.BodyOneofCase.SetServer => Set(message.SetServer),
            RelayMessage.BodyOneofCase.MoveSessions => await MoveAsync(message.MoveSessions, stop),
            RelayMessage.BodyOneofCase.TakeOver => await HandOverAsync(message.TakeOver),
            RelayMessage.BodyOneofCase.Upgrade => await UpgradeAsync(),
            RelayMessage.BodyOneofCase.StopMoving => null, // what it was to stop has ended already, and was answered
            _ => "The relay does not know this question: is it older than the command?",
        };
        if (message.BodyCase == RelayMessage.BodyOneofCase.StopMoving || ReferenceEquals(fault, IsAnswered))
            return;
        await conversation.SendAsync(fault is null ? new RelayMessage { Done = new RelayDone() } : new RelayMessage { Failed = new RelayFailed { Reason = fault } });
    }

    private async Task<string?> TellStatusAsync()
    {
        foreach (Listening.Listener listener in relay.Listeners)
            await conversation.SendAsync(new RelayMessage { Listener = RowOf(listener) });
        long now = Environment.TickCount64;
        foreach (ServerPool pool in relay.Pools)
        {
            foreach (Server server in pool.Servers)
                await conversation.SendAsync(new RelayMessage { Server = RowOf(pool, server, now) });
        }

        return null;
    }

    private string? Set(SetServer order)
    {
        ServerState? state = PoolReader.FindState(order.State);
        if (order.State.Length > 0 && state is null)
            return $"'{order.State}' is no state: it is one of ready, drain and maint.";
        if (order.HasWeight && order.Weight > PoolReader.MostWeight)
            return $"A weight is 0 to {PoolReader.MostWeight}.";
        if (relay.FindPool(order.Pool) is not { } pool)
            return $"There is no pool '{order.Pool}'. There are: {string.Join(", ", relay.Pools.Select(one => one.Name))}.";
        if (!pool.Set(order.Server, state, order.HasWeight ? (int)order.Weight : null))
            return $"The pool {pool.Name} has no server '{order.Server}'. There are: {string.Join(", ", pool.Servers.Select(one => one.Name))}.";
        Server server = pool.Servers.First(one => one.Name == order.Server);
        log.ServerSet(server.Name, pool.Name, server.State.ToString(), server.Weight);
        return null;
    }

    private async Task<string?> MoveAsync(MoveSessions order, CancellationToken stop)
    {
        if (relay.Agent is null)
            return "The relay is configured without an agent (agent: none): its sessions cannot move.";
        if (relay.Agent.Client is not { IsConnected: true } agent)
            return "The agent of this host is not reached by the relay: is it running, and may the relay use it?";
        if (!agent.Destinations.Contains(order.Destination, StringComparer.Ordinal))
            return $"The agent of this host has no destination '{order.Destination}'. There are: {string.Join(", ", agent.Destinations)}.";
        int? limit = order.Count > 0 ? (int)Math.Min(order.Count, int.MaxValue)
            : order.Percent > 0 ? (int)Math.Ceiling(relay.Sessions.Count * Math.Min(order.Percent, 100) / 100.0) : null;
        using CancellationTokenSource stopping = CancellationTokenSource.CreateLinkedTokenSource(stop);
        SessionMoves moves = new(relay.Sessions, relay.Passes, agent, order.Destination, limit);
        Task listening = ListenAsync(stopping);
        try
        {
            await foreach (MoveProgress progress in moves.RunAsync(stopping.Token))
                await conversation.SendAsync(new RelayMessage { Moved = RowOf(progress) });
        }
        finally
        {
            await stopping.CancelAsync();
            await listening;
        }

        return null;
    }

    private async Task<string?> HandOverAsync(TakeOver order) =>
        !isOwner ? "Only root and the relay's own user may take it over."
        : order.Version != Handover.Version ? $"What the new process takes is of version {order.Version}; this one gives version {Handover.Version}. Drain the sessions to another host, and start the new one."
        : await relay.HandOverAsync(conversation);

    // The new process asks to take over by a conversation of its own.
    private async Task<string?> UpgradeAsync()
    {
        if (!isOwner)
            return "Only root and the relay's own user may have it upgraded.";
        TaskCompletionSource said = new(TaskCreationOptions.RunContinuationsAsynchronously);
        relay.LastWord = said.Task;
        try
        {
            ChildProcess successor = Successor.Start();
            Task<(int Taken, int Staying)> handed = relay.UntilHandedOverAsync();
            if (await Task.WhenAny(handed, successor.Exit) != handed)
                return $"The new process has ended (exit code {await successor.Exit}); this one goes on. Its log says why.";
            (int taken, int staying) = await handed;
            await conversation.SendAsync(new RelayMessage { Upgraded = new RelayUpgraded { ProcessId = (uint)successor.Pid, Sessions = (uint)taken, Staying = (uint)staying } });
            await conversation.SendAsync(new RelayMessage { Done = new RelayDone() });
            return IsAnswered;
        }
        catch (KernelException e)
        {
            return $"The new process cannot be started: {e.Message}";
        }
        finally
        {
            said.SetResult();
        }
    }

    // Whoever ordered it says stop, or goes.
    private async Task ListenAsync(CancellationTokenSource stopping)
    {
        try
        {
            await conversation.ReceiveAsync(stopping.Token);
            await stopping.CancelAsync();
        }
        catch (OperationCanceledException)
        {
            // It is over.
        }
    }

    private static RelayListenerRow RowOf(Listening.Listener listener)
    {
        RelayListenerRow row = new()
        {
            Name = listener.Name,
            Pool = listener.Settings.Pool ?? "",
            Sessions = (uint)listener.Sessions,
            MaxSessions = (uint)listener.Settings.MaxSessions,
            Total = (ulong)listener.Total,
            Refused = (ulong)listener.Refused,
            BytesToServer = (ulong)listener.BytesToServer,
            BytesToClient = (ulong)listener.BytesToClient,
            PassedIn = (ulong)listener.PassedIn,
            PassedOut = (ulong)listener.PassedOut,
        };
        row.Addresses.Add(listener.Settings.Addresses.Select(address => address.ToString()));
        return row;
    }

    private static RelayServerRow RowOf(ServerPool pool, Server server, long now) => new()
    {
        Pool = pool.Name,
        Name = server.Name,
        Address = server.Address.ToString(),
        State = Lower(server.State.ToString()),
        Health = Lower(server.HealthAt(now).ToString()),
        Weight = (uint)server.Weight,
        IsBackup = server.Settings.IsBackup,
        Sessions = (uint)server.Sessions,
        MaxSessions = (uint)server.Settings.MaxSessions,
        Total = (ulong)server.Total,
        ConnectFailures = (ulong)server.ConnectFailures,
        BytesToServer = (ulong)server.BytesToServer,
        BytesToClient = (ulong)server.BytesToClient,
        LastCheck = server.LastCheck?.Code ?? "",
        LastCheckUs = (long)(server.LastCheck?.Duration.TotalMicroseconds ?? 0),
        Queued = (uint)pool.Queued,
        Sources = { pool.Settings.Sources.Select(source => source.ToString()) },
    };

    private static SessionMoved RowOf(MoveProgress progress)
    {
        SessionIdentity session = progress.Session;
        PassResult result = progress.Result;
        return new SessionMoved
        {
            Session = ByteString.CopyFrom(session.Id.ToByteArray()),
            Client = session.Client.ToString(),
            Server = $"{session.ServerPlace.Pool.Name}/{session.ServerPlace.Server.Name}",
            Destination = progress.Destination,
            Failure = result.Succeeded ? "" : result.Failure.ToString(),
            Owner = LocalApi.LocalWire.ToMessage(result.Owner),
            Detail = result.Detail,
            BlackoutNs = (ulong)Math.Max(0, result.Blackout?.Ticks ?? 0) * NanosecondsPerTick,
            Done = (uint)progress.Done,
            Total = (uint)progress.Total,
        };
    }

    private static string Lower(string name) => name.ToLowerInvariant();
}
