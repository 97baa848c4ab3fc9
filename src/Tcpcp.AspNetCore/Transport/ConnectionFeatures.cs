using System.Collections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;

namespace Tcpcp.AspNetCore.Transport;

/// <summary>The features of a connection: its own are the connection itself, and the few that the server adds are in a list, which is smaller than a table.</summary>
internal sealed class ConnectionFeatures(PassableConnection connection) : IFeatureCollection
{
    private KeyValuePair<Type, object?>[] _added = [];
    private int _count;

    public bool IsReadOnly => false;

    public int Revision { get; private set; }

    public object? this[Type key]
    {
        get
        {
            int index = IndexOf(key);
            return index >= 0 ? _added[index].Value : IsOwn(key) ? connection : null;
        }
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
        _added.Take(_count).Where(one => one.Value is not null).Select(one => KeyValuePair.Create(one.Key, one.Value!)).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private static bool IsOwn(Type key) => key == typeof(PassableConnection) || key == typeof(IConnectionIdFeature) || key == typeof(IConnectionTransportFeature)
        || key == typeof(IConnectionItemsFeature) || key == typeof(IMemoryPoolFeature) || key == typeof(IConnectionLifetimeFeature) || key == typeof(IConnectionSocketFeature)
        || key == typeof(IConnectionEndPointFeature) || key == typeof(IPassedConnectionFeature);

    private int IndexOf(Type key)
    {
        for (int i = 0; i < _count; i++)
        {
            if (_added[i].Key == key)
                return i;
        }

        return -1;
    }

    private void Set(Type key, object? value)
    {
        Revision++;
        int index = IndexOf(key);
        if (index < 0)
        {
            index = _count++;
            if (index == _added.Length)
                Array.Resize(ref _added, index + 5);
        }

        _added[index] = KeyValuePair.Create(key, value);
    }
}
