using Tcpcp.Core;
using Tcpcp.Linux;
using Tcpcp.Linux.Diagnostics;

namespace Tcpcp.Agent.Redirection;

/// <summary>
/// At an owner: watches the ends of its sockets, and has the homes told of those whose packets came by them. Started on a thread in the host's network namespace.
/// </summary>
internal sealed class EndReports : IAsyncDisposable
{
    private static readonly TimeSpan s_wait = TimeSpan.FromMilliseconds(200); // until a stop is noticed

    private readonly CancellationTokenSource _stopping = new();
    private readonly SocketEndings _endings;
    private readonly IReadOnlyList<HomeReports> _homes;
    private readonly KnownHomes _known;
    private readonly Thread _reader;
    private readonly Task _reporting;

    private EndReports(SocketEndings endings, KnownHomes known, IReadOnlyList<HomeReports> homes, Action<Exception> failed)
    {
        (_endings, _known, _homes) = (endings, known, homes);
        _reader = new Thread(() => Watch(failed)) { IsBackground = true, Name = "tcpcp ends" };
        known.Arrived = (connection, home) => _homes.FirstOrDefault(one => one.Home == home)?.Arrive(connection);
        _reader.Start();
        _reporting = Task.WhenAll(homes.Select(home => Task.Run(() => home.RunAsync(_stopping.Token))));
        _ = _reporting.ContinueWith(ended => failed(ended.Exception!), CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
    }

    /// <param name="failed">Hears of what should not be.</param>
    public static EndReports Start(KnownHomes known, IEnumerable<HomeReports> homes, Action<Exception> failed) =>
        new(SocketEndings.Open(s_wait), known, [.. homes], failed);

    public async ValueTask DisposeAsync()
    {
        _known.Arrived = null;
        await _stopping.CancelAsync();
        await _reporting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _reader.Join();
        foreach (HomeReports home in _homes)
            home.Dispose();
        _endings.Dispose();
        _stopping.Dispose();
    }

    private void Watch(Action<Exception> failed)
    {
        List<ulong> ended = [];
        try
        {
            while (!_stopping.IsCancellationRequested)
            {
                ended.Clear();
                bool isWhole = _endings.Wait(ended);
                foreach (HomeReports home in _homes)
                {
                    if (ended.Count > 0)
                        home.End(ended);
                    if (!isWhole)
                        home.CompareAll();
                }
            }
        }
        catch (KernelException e)
        {
            failed(e); // what ends is still found by comparing
        }
    }
}
