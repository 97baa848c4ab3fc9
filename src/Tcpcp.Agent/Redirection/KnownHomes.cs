using System.Collections.Concurrent;
using Tcpcp.Core;

namespace Tcpcp.Agent.Redirection;

/// <summary>At an owner: by which other host the packets of its connections come. Thread-safe.</summary>
internal sealed class KnownHomes
{
    private readonly ConcurrentDictionary<FourTuple, KnownHome> _homes = new();
    private long _arrivals;

    /// <summary>Hears of every connection that has arrived, with the name of its home. It must not block.</summary>
    public Action<FourTuple, string>? Arrived { get; set; }

    /// <summary>The name of the home's agent; null: it is this host, or not known.</summary>
    public string? Find(FourTuple connection) => _homes.GetValueOrDefault(connection).Name;

    /// <summary>Number of the redirection that has brought it; 0: it is not known.</summary>
    public ulong NumberOf(FourTuple connection) => _homes.GetValueOrDefault(connection).Number;

    /// <summary>How often passes have brought connections so far. What a home says is of the time before it was asked: it is not said of those that come later.</summary>
    public long Arrivals => Volatile.Read(ref _arrivals);

    /// <summary>A pass has brought it, whose origin has left.</summary>
    public void Arrive(FourTuple connection, string home, ulong number = 0)
    {
        Note(connection, home, number);
        Arrived?.Invoke(connection, home);
    }

    /// <summary>A pass brings it, whose origin has a say yet.</summary>
    public void Note(FourTuple connection, string home, ulong number = 0) =>
        _homes[connection] = new KnownHome(home, number, Interlocked.Increment(ref _arrivals));

    /// <summary>The home says so.</summary>
    /// <param name="arrivals"><see cref="Arrivals"/> before it was asked.</param>
    public void Learn(FourTuple connection, string home, long arrivals) =>
        _homes.AddOrUpdate(connection, new KnownHome(home, 0, 0), (_, known) => known.Arrival > arrivals ? known : known with { Name = home });

    /// <summary>Its packets come by there no more.</summary>
    public void Forget(FourTuple connection) => _homes.TryRemove(connection, out _);

    /// <summary>As <see cref="Forget(FourTuple)"/>, unless another home is known by now, or a pass has brought it again.</summary>
    /// <param name="arrivals"><see cref="Arrivals"/> before the home was asked.</param>
    public void Forget(FourTuple connection, string home, long arrivals)
    {
        if (_homes.TryGetValue(connection, out KnownHome known) && known.Name == home && known.Arrival <= arrivals)
            _homes.TryRemove(KeyValuePair.Create(connection, known));
    }

    public IReadOnlyList<FourTuple> Of(string home) => [.. _homes.Where(one => one.Value.Name == home).Select(one => one.Key)];

    private readonly record struct KnownHome(string Name, ulong Number, long Arrival);
}
