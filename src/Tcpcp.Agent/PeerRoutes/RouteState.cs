using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Tcpcp.Agent.PeerRoutes;

/// <summary>Where an address is routed to.</summary>
/// <param name="Host">Name of the agent whose host has it.</param>
/// <param name="Orderer">Of the one that has said so; the same, as soon as the pass is over.</param>
/// <param name="Number">Of the last redirection.</param>
internal sealed record RoutedAddress(IPAddress Address, string Host, string Orderer, ulong Number);

/// <summary>What is known of the routes, in a file, so that it outlives the agent; with it goes the incarnation. Not thread-safe.</summary>
internal sealed class RouteState
{
    private readonly string _path;
    private readonly Dictionary<IPAddress, RoutedAddress> _routes;

    private RouteState(string path, Guid incarnation, IEnumerable<RoutedAddress> routes)
    {
        (_path, Incarnation) = (path, incarnation);
        _routes = routes.ToDictionary(route => route.Address);
    }

    /// <summary>Made with the file, and lost with it.</summary>
    public Guid Incarnation { get; }

    public IReadOnlyCollection<RoutedAddress> All => _routes.Values;

    /// <summary>A file that is not there, or damaged, is begun anew as another incarnation.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    public static RouteState Open(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        RouteState state = Read(path) ?? new RouteState(path, Guid.NewGuid(), []);
        state.Write();
        return state;
    }

    public RoutedAddress? Find(IPAddress address) => _routes.GetValueOrDefault(address);

    public void Set(RoutedAddress route)
    {
        _routes[route.Address] = route;
        Write();
    }

    /// <summary>As it was before.</summary>
    public void Restore(IPAddress address, RoutedAddress? before)
    {
        if (before is null)
            _routes.Remove(address);
        else
            _routes[address] = before;
        Write();
    }

    private static RouteState? Read(string path)
    {
        try
        {
            return File.Exists(path) && JsonSerializer.Deserialize(File.ReadAllBytes(path), RouteStateJson.Default.SavedRoutes) is { Routes: not null } saved
                ? new RouteState(path, saved.Incarnation, saved.Routes.Select(route => new RoutedAddress(IPAddress.Parse(route.Address), route.Host, route.Orderer, route.Number)))
                : null;
        }
        catch (Exception e) when (e is JsonException or FormatException or ArgumentException)
        {
            return null;
        }
    }

    // Under another name first: it is there whole or not at all.
    private void Write()
    {
        SavedRoutes saved = new(Incarnation, [.. _routes.Values.Select(route => new SavedRoute(route.Address.ToString(), route.Host, route.Orderer, route.Number))]);
        string made = _path + ".new";
        File.WriteAllBytes(made, JsonSerializer.SerializeToUtf8Bytes(saved, RouteStateJson.Default.SavedRoutes));
        File.Move(made, _path, overwrite: true);
    }
}

internal sealed record SavedRoutes(Guid Incarnation, IReadOnlyList<SavedRoute> Routes);

internal sealed record SavedRoute(string Address, string Host, string Orderer, ulong Number);

[JsonSerializable(typeof(SavedRoutes))]
internal sealed partial class RouteStateJson : JsonSerializerContext;
