using System.Collections.Concurrent;
using Tcpcp.Core;

namespace Tcpcp.Agent.Redirection;

/// <summary>At an owner: by which other host the packets of its connections come. Thread-safe.</summary>
internal sealed class KnownHomes
{
    private readonly ConcurrentDictionary<FourTuple, string> _homes = new();

    /// <summary>Hears of every connection that a pass has brought, with the name of its home. It must not block.</summary>
    public Action<FourTuple, string>? Arrived { get; set; }

    /// <summary>The name of the home's agent; null: it is this host, or not known.</summary>
    public string? Find(FourTuple connection) => _homes.GetValueOrDefault(connection);

    /// <summary>A pass has brought it.</summary>
    public void Arrive(FourTuple connection, string home)
    {
        _homes[connection] = home;
        Arrived?.Invoke(connection, home);
    }

    /// <summary>The home says so.</summary>
    public void Learn(FourTuple connection, string home) => _homes[connection] = home;

    /// <summary>Its packets come by there no more.</summary>
    public void Forget(FourTuple connection) => _homes.TryRemove(connection, out _);

    /// <summary>As <see cref="Forget(FourTuple)"/>, unless another home is known by now.</summary>
    public void Forget(FourTuple connection, string home) => _homes.TryRemove(KeyValuePair.Create(connection, home));

    public IReadOnlyList<FourTuple> Of(string home) => [.. _homes.Where(one => one.Value == home).Select(one => one.Key)];
}
