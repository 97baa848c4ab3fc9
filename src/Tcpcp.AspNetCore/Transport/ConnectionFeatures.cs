using System.Collections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;

namespace Tcpcp.AspNetCore.Transport;

/// <summary>The features of a connection: its own are the connection itself, and the few that the server adds are in an array, which is smaller than a table and never changes.</summary>
internal sealed class ConnectionFeatures(PassableConnection connection) : IFeatureCollection
{
    private KeyValuePair<Type, object?>[] _added = [];

    public bool IsReadOnly => false;

    public int Revision { get; private set; }

    public object? this[Type key]
    {
        get => Find(key) is { } added ? added.Value : IsOwn(key) ? connection : null;
        set => Set(key, value);
    }

    public TFeature? Get<TFeature>()
    {
        if (typeof(TFeature) == typeof(PassableConnection))
            return (TFeature)(object)connection;
        return (TFeature?)this[typeof(TFeature)];
    }

    public void Set<TFeature>(TFeature? instance) => Set(typeof(TFeature), instance);

    public IEnumerator<KeyValuePair<Type, object>> GetEnumerator() =>
        _added.Where(one => one.Value is not null).Select(one => KeyValuePair.Create(one.Key, one.Value!)).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private static bool IsOwn(Type key) => key == typeof(PassableConnection) || key == typeof(IConnectionIdFeature) || key == typeof(IConnectionTransportFeature)
        || key == typeof(IConnectionItemsFeature) || key == typeof(IMemoryPoolFeature) || key == typeof(IConnectionLifetimeFeature) || key == typeof(IConnectionSocketFeature)
        || key == typeof(IConnectionEndPointFeature) || key == typeof(IPassedConnectionFeature);

    // Requests of HTTP/2 read while the server adds.
    private KeyValuePair<Type, object?>? Find(Type key)
    {
        foreach (KeyValuePair<Type, object?> one in _added)
        {
            if (one.Key == key)
                return one;
        }

        return null;
    }

    private void Set(Type key, object? value)
    {
        lock (connection)
        {
            Revision++;
            KeyValuePair<Type, object?>[] added = _added;
            int index = Array.FindIndex(added, one => one.Key == key || one.Key is null);
            if (index < 0)
            {
                index = added.Length;
                Array.Resize(ref added, index + 5);
            }
            else
                added = [.. added];
            added[index] = KeyValuePair.Create(key, value);
            _added = added;
        }
    }
}
