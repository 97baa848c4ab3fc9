using System.Collections.Concurrent;
using System.Net;
using Tcpcp.Agent.Link;
using Tcpcp.Agent.Redirection;
using Tcpcp.Core;
using Tcpcp.Core.Passing;
using Tcpcp.Linux.Diagnostics;

namespace Tcpcp.Agent.Tests.Redirection;

/// <summary>What an owner says to a home, and when.</summary>
public sealed class HomeReportsTests : IAsyncDisposable
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(20);
    private static readonly FourTuple s_connection = new(IPEndPoint.Parse("10.0.0.100:8080"), IPEndPoint.Parse("10.0.0.1:40000"));

    private readonly StubHome _home = new();
    private readonly KnownHomes _known = new();
    private readonly CancellationTokenSource _stopping = new();
    private HomeReports? _reports;
    private Task _running = Task.CompletedTask;
    private volatile ListedSocket[] _sockets = [];
    private volatile FourTuple[] _open = [];

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _running;
        _reports?.Dispose();
        _stopping.Dispose();
    }

    [Fact]
    public async Task What_had_ended_before_the_start_is_told()
    {
        _home.Forwarded[s_connection] = 7;
        Start();
        await Until(() => _home.Forwarded.IsEmpty);
        Assert.Equal([new ForwardedConnection(s_connection, 7)], _home.Told);
    }

    [Fact]
    public async Task An_end_that_nobody_told_of_is_found_by_comparing()
    {
        Live(cookie: 1);
        Start(new EndReportTimes { All = TimeSpan.FromMilliseconds(20) });
        await Until(() => _known.Find(s_connection) == _home.HomeName);
        _sockets = [];
        await Until(() => _home.Forwarded.IsEmpty);
        await Until(() => _known.Find(s_connection) is null);
    }

    [Fact]
    public async Task An_end_among_events_that_were_lost_is_found()
    {
        Live(cookie: 1);
        Start();
        await Until(() => _known.Find(s_connection) == _home.HomeName);
        _sockets = [];
        _reports!.CompareAll();
        await Until(() => _home.Forwarded.IsEmpty);
    }

    [Fact]
    public async Task An_end_is_told_after_its_event_and_other_events_ask_nothing()
    {
        Live(cookie: 1);
        Start();
        await Until(() => _known.Find(s_connection) == _home.HomeName);
        int questions = _home.Questions;
        _reports!.End([2, 3]);
        _sockets = [];
        _reports.End([1]);
        await Until(() => _home.Forwarded.IsEmpty);
        Assert.Equal(questions + 1, _home.Questions);
    }

    [Fact]
    public async Task A_connection_that_has_ended_before_its_pass_was_settled_is_told()
    {
        Start();
        await Until(() => _home.Questions > 0);
        _home.Forwarded[s_connection] = 7;
        _reports!.Arrive(s_connection);
        await Until(() => _home.Forwarded.IsEmpty);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_is_not_settled_and_what_waits_for_a_last_FIN_is_not_told_until_it_has_gone(bool isOpen)
    {
        _home.Forwarded[s_connection] = 7;
        if (isOpen)
            _open = [s_connection];
        else
            _sockets = [new ListedSocket(s_connection, TcpState.FinWait2, 0) { Cookie = 1, Timer = TcpTimer.TimeWait }];
        Start(new EndReportTimes { All = TimeSpan.FromMilliseconds(10), Again = TimeSpan.FromMilliseconds(10) });
        await Until(() => _home.Questions > 5);
        Assert.Empty(_home.Told);
        (_open, _sockets) = ([], []);
        await Until(() => _home.Forwarded.IsEmpty);
    }

    [Fact]
    public async Task What_has_gone_home_and_comes_again_while_the_home_is_asked_is_not_forgotten()
    {
        Live(cookie: 1);
        Start();
        await Until(() => _known.Find(s_connection) == _home.HomeName);
        _home.Forwarded.Clear();
        _sockets = [];
        _home.Answering = () =>
        {
            _open = [s_connection];
            _known.Arrive(s_connection, _home.HomeName, 8);
        };
        int questions = _home.Questions;
        _reports!.End([1]);
        await Until(() => _home.Questions > questions);
        _home.Answering = null;
        _reports.CompareAll(); // what comes of the question before is over when the next is asked
        await Until(() => _home.Questions > questions + 1);
        Assert.Equal(8UL, _known.NumberOf(s_connection));
    }

    [Fact]
    public async Task It_is_said_again_until_there_is_an_answer()
    {
        _home.Forwarded[s_connection] = 7;
        _home.Unanswered = 5;
        Start();
        await Until(() => _home.Forwarded.IsEmpty);
        Assert.Equal(0, _home.Unanswered);
    }

    [Fact]
    public async Task What_was_sent_on_by_a_pass_that_is_not_known_any_more_is_settled_unless_its_socket_is_here()
    {
        FourTuple alive = new(IPEndPoint.Parse("10.0.0.100:8080"), IPEndPoint.Parse("10.0.0.1:40001"));
        FourTuple underWay = new(IPEndPoint.Parse("10.0.0.100:8080"), IPEndPoint.Parse("10.0.0.1:40002"));
        _sockets = [new ListedSocket(alive, TcpState.Established, 0) { Cookie = 1, Inode = 1 }];
        _open = [underWay];
        PassId lost = new(Guid.NewGuid());
        foreach (FourTuple connection in (FourTuple[])[s_connection, alive])
            _home.Moved[connection] = lost;
        _home.Moved[underWay] = new PassId(Guid.NewGuid());
        Start(new EndReportTimes { All = TimeSpan.FromMilliseconds(20) });
        await Until(() => !_home.Moved.ContainsKey(s_connection));
        int questions = _home.Questions;
        await Until(() => _home.Questions > questions + 1);
        Assert.Equal([alive, underWay], _home.Moved.Keys.OrderBy(connection => connection.Peer.Port));
        Assert.Null(_known.Find(s_connection));
        Assert.Null(_known.Find(underWay));
        Assert.Empty(_home.Told);
    }

    private void Live(ulong cookie)
    {
        _home.Forwarded[s_connection] = 7;
        _sockets = [new ListedSocket(s_connection, TcpState.Established, 0) { Cookie = cookie, Inode = 1 }];
    }

    private void Start(EndReportTimes? times = null)
    {
        _reports = new HomeReports(_home, _known, () => _sockets, () => _open.ToHashSet(), times ?? new EndReportTimes(), TimeProvider.System, (_, _) => { });
        _running = Task.Run(() => _reports.RunAsync(_stopping.Token));
    }

    private static async Task Until(Func<bool> condition)
    {
        using CancellationTokenSource limit = new(s_limit);
        while (!condition())
            await Task.Delay(1, limit.Token);
    }

    private sealed class StubHome : IHomeAgent
    {
        public ConcurrentBag<FourTuple> Claimed { get; } = [];

        /// <summary>What the owner has sent on, and by which pass.</summary>
        public ConcurrentDictionary<FourTuple, PassId> Moved { get; } = new();

        public Task<RepointAnswer> RepointAsync(RepointOrder order, CancellationToken cancellationToken)
        {
            Assert.True(order.IsSettled);
            foreach (FourTuple connection in order.Connections)
                Assert.True(Moved.TryRemove(KeyValuePair.Create(connection, order.Pass)));
            return Task.FromResult(new RepointAnswer(order.Number));
        }

        public Task ClaimForwardedAsync(IReadOnlyCollection<FourTuple> connections, CancellationToken cancellationToken)
        {
            foreach (FourTuple connection in connections)
                Claimed.Add(connection);
            return Task.CompletedTask;
        }

        private int _questions;

        public string HomeName => "host-a";

        public ConcurrentDictionary<FourTuple, ulong> Forwarded { get; } = new();

        public ConcurrentQueue<ForwardedConnection> Told { get; } = new();

        public int Questions => _questions;

        /// <summary>Happens after it has looked what it forwards, and before it says so.</summary>
        public Action? Answering { get; set; }

        /// <summary>So many messages get no answer.</summary>
        public int Unanswered { get; set; }

        public Task<IReadOnlyList<ForwardedConnection>> ListForwardedAsync(IReadOnlyCollection<FourTuple> named, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _questions);
            ForwardedConnection[] listed =
            [
                .. Forwarded.Where(one => named.Count == 0 || named.Contains(one.Key)).Select(one => new ForwardedConnection(one.Key, one.Value)),
                .. Moved.Where(_ => named.Count == 0).Select(one => new ForwardedConnection(one.Key, 0) { MovedBy = one.Value }),
            ];
            Answering?.Invoke();
            return Task.FromResult<IReadOnlyList<ForwardedConnection>>(listed);
        }

        public Task<IReadOnlyList<FourTuple>> EndForwardedAsync(IReadOnlyCollection<ForwardedConnection> ended, CancellationToken cancellationToken)
        {
            if (Unanswered > 0)
            {
                Unanswered--;
                throw new LinkException("no answer");
            }

            foreach (ForwardedConnection one in ended)
            {
                Told.Enqueue(one);
                Forwarded.TryRemove(KeyValuePair.Create(one.Connection, one.Number));
            }

            return Task.FromResult<IReadOnlyList<FourTuple>>([.. ended.Select(one => one.Connection).Where(Forwarded.ContainsKey)]);
        }
    }
}
