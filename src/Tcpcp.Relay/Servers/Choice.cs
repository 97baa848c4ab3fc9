using System.Net;
using Tcpcp.Core;
using Tcpcp.Relay.Settings;

namespace Tcpcp.Relay.Servers;

/// <summary>Chooses one of several servers. Of its pool's lock.</summary>
internal sealed class Choice
{
    // A prime, a hundred times the servers that a pool is likely to have.
    private const int Slots = 16381;

    private string[] _tableNames = [];
    private int[] _table = [];

    /// <param name="servers">Those that take sessions, in the configuration's order; at least one.</param>
    /// <param name="isOut">Which of them are full, or were tried for this session.</param>
    /// <returns>Null if all are out.</returns>
    public Server? Choose(Balance balance, IReadOnlyList<Server> servers, Func<Server, bool> isOut, Func<Server, double> weight, IPAddress client) => balance switch
    {
        Balance.RoundRobin => InTurn([.. servers.Where(server => !isOut(server))], weight),
        Balance.LeastConnections => WithFewest([.. servers.Where(server => !isOut(server))], weight),
        Balance.ConsistentHash => ByTable(servers, isOut, client),
        Balance.SourceHash => ByWeights(servers, isOut, client),
        _ => throw new ArgumentOutOfRangeException(nameof(balance), balance, "There is no such balance."),
    };

    /// <summary>The same on every host: FNV-1a with a last mixing, since addresses differ in their last bits only.</summary>
    public static ulong Hash(IPAddress client)
    {
        Span<byte> bytes = stackalloc byte[16];
        (client.IsIPv4MappedToIPv6 ? client.MapToIPv4() : client).TryWriteBytes(bytes, out int length);
        ulong hash = 0xCBF29CE484222325;
        foreach (byte one in bytes[..length])
            hash = (hash ^ one) * 0x100000001B3;
        hash = (hash ^ (hash >> 33)) * 0xFF51AFD7ED558CCD;
        return hash ^ (hash >> 33);
    }

    // Smooth: 5, 1, 1 become a a b a c a a, not a a a a a b c.
    private static Server? InTurn(Server[] servers, Func<Server, double> weight)
    {
        Server? best = null;
        double sum = 0;
        foreach (Server server in servers)
        {
            double share = weight(server);
            sum += share;
            server.Turn += share;
            if (best is null || server.Turn > best.Turn)
                best = server;
        }

        if (best is not null)
            best.Turn -= sum;
        return best;
    }

    // Those that are alike get sessions in turn.
    private static Server? WithFewest(Server[] servers, Func<Server, double> weight)
    {
        if (servers.Length == 0)
            return null;
        double least = servers.Min(server => (server.Sessions + 1) / weight(server));
        return InTurn([.. servers.Where(server => (server.Sessions + 1) / weight(server) <= least)], weight);
    }

    private Server? ByTable(IReadOnlyList<Server> servers, Func<Server, bool> isOut, IPAddress client)
    {
        // A server has as many entries as its weight says.
        string[] names = [.. servers.SelectMany(server => Enumerable.Range(0, server.Weight).Select(number => $"{server.Name}#{number}"))];
        if (!names.AsSpan().SequenceEqual(_tableNames))
            (_tableNames, _table) = (names, PlacementTable.Make(names, Slots));
        Server[] owners = [.. servers.SelectMany(server => Enumerable.Repeat(server, server.Weight))];
        int slot = (int)(Hash(client) % Slots);
        for (int i = 0; i < Slots; i++)
        {
            Server server = owners[_table[(slot + i) % Slots]];
            if (!isOut(server))
                return server;
        }

        return null;
    }

    private static Server? ByWeights(IReadOnlyList<Server> servers, Func<Server, bool> isOut, IPAddress client)
    {
        Server[] owners = [.. servers.SelectMany(server => Enumerable.Repeat(server, server.Weight))];
        int start = (int)(Hash(client) % (ulong)owners.Length);
        for (int i = 0; i < owners.Length; i++)
        {
            Server server = owners[(start + i) % owners.Length];
            if (!isOut(server))
                return server;
        }

        return null;
    }
}
