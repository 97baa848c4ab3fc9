using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Tcpcp.Client;
using Tcpcp.Linux.UnixSockets;
using Tcpcp.LocalApi;

namespace Tcpcp.Agent.Local;

/// <summary>
/// Where the programs of this host reach the agent: a Unix socket (docs/local-api.md). A program that is slow, hangs, dies or sends nonsense harms nobody but
/// itself.
/// </summary>
internal sealed class LocalServer : IAsyncDisposable
{
    private readonly SequencedPacketSocket _listener;
    private readonly LocalObserver _observer;
    private readonly uint _agentUser;
    private readonly uint? _applications;
    private readonly uint? _operators;
    private readonly ConcurrentDictionary<LocalSession, Task> _sessions = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _accepting;

    private LocalServer(LocalServices services, LocalServerOptions options, LocalObserver observer)
    {
        (Services, Options, _observer) = (services, options, observer);
        (_applications, _operators) = (Resolve(options.ApplicationGroup), Resolve(options.OperatorGroup));
        // The file can name one group only. With two that differ everybody may connect, and the credentials alone decide.
        bool isOneGroup = _applications is null || _operators is null || _applications == _operators;
        UnixFileMode mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite |
            (isOneGroup ? UnixFileMode.None : UnixFileMode.OtherRead | UnixFileMode.OtherWrite);
        _listener = SequencedPacketSocket.Listen(options.Path, LocalProtocol.MaxPacketBytes, mode, _applications ?? _operators);
        _agentUser = _listener.Credentials.UserId;
        _accepting = AcceptAsync();
    }

    public LocalServices Services { get; }

    public LocalServerOptions Options { get; }

    /// <summary>The programs that take connections.</summary>
    public IReadOnlyList<RegisteredApplicationStatus> Applications => [.. _sessions.Keys.SelectMany(session => session.Names
        .Select(name => new RegisteredApplicationStatus(name, session.ProcessId, session.Program))).OrderBy(one => one.Name, StringComparer.Ordinal)];

    /// <summary>Listens until this is disposed.</summary>
    /// <exception cref="ArgumentException">A configured group does not exist.</exception>
    /// <exception cref="IOException">The path cannot be used, or another process listens there.</exception>
    public static LocalServer Start(LocalServices services, LocalServerOptions options, LocalObserver observer) => new(services, options, observer);

    /// <summary>Asks an application to pass connections, and says what became of each pass in the order of their ends.</summary>
    /// <param name="stop">Begin no new pass; those under way end, and are told.</param>
    /// <exception cref="OperationRefusedException">No such application is registered, or it did not answer.</exception>
    public async IAsyncEnumerable<WantedOutcome> PassWantedAsync(
        string application, WantedPasses wanted, [EnumeratorCancellation] CancellationToken stop)
    {
        LocalSession session = _sessions.Keys.FirstOrDefault(session => session.Names.Contains(application))
            ?? throw new OperationRefusedException($"No application named '{application}' is registered here.");
        using WantedQuestion question = session.Ask(application, wanted, stop);
        await foreach (WantedOutcome outcome in question.OutcomesAsync())
            yield return outcome;
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listener.Dispose();
        await _accepting;
        foreach (LocalSession session in _sessions.Keys)
            session.Close();
        await Task.WhenAll(_sessions.Values);
        _stopping.Dispose();
    }

    internal void Report(LocalEventKind kind, LocalSession session, string detail) => _observer(new LocalEvent(kind, session.ProcessId, session.Program, detail));

    private async Task AcceptAsync()
    {
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                SequencedPacketSocket socket = await _listener.AcceptAsync(_stopping.Token);
                Begin(socket);
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
            catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException)
            {
                // Too many open files, or a program that has gone already. The next one waits until there is room.
                _observer(new LocalEvent(LocalEventKind.Broken, 0, "", e.Message));
                await Task.Delay(TimeSpan.FromMilliseconds(100), CancellationToken.None);
            }
        }
    }

    private void Begin(SequencedPacketSocket socket)
    {
        PeerCredentials caller = socket.Credentials;
        CallerRights rights = CallerRights.Of(caller, _agentUser, _applications, _operators);
        string? obstacle = !rights.MayConnect ? Explain(caller)
            : _sessions.Keys.Count(session => session.Obstacle is null) >= Options.MaxClients ? $"{Options.MaxClients} programs are connected already; close one, or raise the agent's limit." : null;
        LocalSession session = new(this, new LocalChannel(socket, Options.MaxWaitingPackets), caller.ProcessId, rights, obstacle);
        if (_sessions.Count >= 2 * Options.MaxClients)
        {
            using (session)
                session.SendAway(obstacle ?? "Too many programs connect."); // without waiting for the Hello
            return;
        }

        TaskCompletionSource added = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _sessions[session] = Serve(session, added.Task);
        added.SetResult();
    }

    private async Task Serve(LocalSession session, Task added)
    {
        await added;
        using (session)
            await session.RunAsync();
        _sessions.TryRemove(session, out _);
        Report(LocalEventKind.Disconnected, session, ""); // its place is free: who hears of it may connect
    }

    private string Explain(PeerCredentials caller) =>
        $"User {caller.UserId} may not use this agent: let the program run in the group '{Options.ApplicationGroup ?? "(none is configured)"}' to pass connections, or in " +
        $"'{Options.OperatorGroup ?? "(none is configured)"}' to operate.";

    private static uint? Resolve(string? group) => group is null ? null
        : UserGroup.Find(group) ?? throw new ArgumentException($"There is no group '{group}': make it (groupadd {group}), or configure another one.", nameof(group));
}
