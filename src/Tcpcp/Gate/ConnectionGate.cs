using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Tcpcp.Core;
using Tcpcp.Linux;
using Tcpcp.Linux.Nftables;
using Tcpcp.Linux.Packets;
using Tcpcp.Linux.Tcp;

namespace Tcpcp.Gate;

/// <summary>
/// The gate of a network namespace: what is behind it is silent, whatever its timers do, and draws no RST when its socket is gone.
/// </summary>
/// <remarks>
/// Two parts (nftables, table <c>inet tcpcp</c>). A connection in the set <c>closed</c> is dropped in both directions; the entry belongs to one
/// pass and outlives program and socket. The map <c>stamps</c> notes the timestamp of the first segment that was kept back. And a socket with the
/// gate's mark is cut off by two static rules as long as it lives. Egress drops in the output hook leave SND.NXT where it is: a segment that did
/// not go out does not count as sent. What this host itself makes for a socket behind the gate (<see cref="PeerSegmentSocket"/>) comes in by its mark.
/// </remarks>
internal sealed class ConnectionGate : IDisposable
{
    private const string TableName = "tcpcp";

    private static readonly FourTupleSet s_closed = new(FourTupleSet.NFPROTO_INET, TableName, "closed");
    private static readonly FourTupleSet s_stamps = new(FourTupleSet.NFPROTO_INET, TableName, "stamps");

    // Network namespaces (by the kernel's cookie) that have the table: looking again costs a millisecond.
    private static readonly ConcurrentDictionary<ulong, bool> s_equipped = new();

    private readonly SetElements _elements;

    private ConnectionGate(GateOptions options)
    {
        Options = options;
        _elements = new SetElements();
    }

    public GateOptions Options { get; }

    /// <summary>Opens the gate of the calling thread's network namespace: makes it if it is not there, and leaves it in place for ever.</summary>
    public static ConnectionGate Open(GateOptions? options = null)
    {
        using SafeHandle probe = RawSocket.Create(ipv6: false);
        return Open(NamespaceOf(probe), options ?? new GateOptions());
    }

    /// <summary>Opens the gate of a socket's network namespace, which must be the calling thread's.</summary>
    /// <exception cref="InvalidOperationException">It is another one.</exception>
    public static ConnectionGate OpenFor(SafeHandle socket)
    {
        using SafeHandle probe = RawSocket.Create(ipv6: false);
        ulong cookie = NamespaceOf(probe);
        return cookie == NamespaceOf(socket)
            ? Open(cookie, new GateOptions())
            : throw new InvalidOperationException("The socket lives in another network namespace. Call from a thread in the socket's namespace.");
    }

    public void Dispose() => _elements.Dispose();

    /// <summary>Drops what the connection sends and receives from now on.</summary>
    /// <returns>False if another pass has closed it already.</returns>
    public bool Close(FourTuple connection)
    {
        try
        {
            return _elements.Add(s_closed, connection);
        }
        catch (KernelException e) when (e.Errno == Errno.ENOENT)
        {
            // "tcpcp doctor --clean" removes the table of a host that has nothing behind its gate.
            MakeTable(Options);
            return _elements.Add(s_closed, connection);
        }
    }

    /// <summary>Before the gate closes: forgets the timestamp that it has noted of the connection at an earlier time.</summary>
    public void ForgetTimestamp(FourTuple connection)
    {
        // As a rule there is none; a transaction that fails for that waits for every CPU (nf_tables_abort), 10 ms and more, and others wait for it.
        if (KeptTimestamp(connection) is not null)
            _elements.Remove(s_stamps, connection);
    }

    /// <summary>TSval of the first segment that the closed gate has kept back; null if there was none, or it had no timestamp.</summary>
    public uint? KeptTimestamp(FourTuple connection) => _elements.TryGetValue(s_stamps, connection);

    /// <summary>Lets the connection's packets through again.</summary>
    /// <returns>False if it was open.</returns>
    public bool Open(FourTuple connection) => _elements.Remove(s_closed, connection);

    /// <summary>The connections whose packets it drops.</summary>
    public IReadOnlyList<FourTuple> Closed => ListClosed(_elements) ?? [];

    /// <summary>The connections whose packets the gate of the calling thread's network namespace drops; null: there is no gate.</summary>
    internal static IReadOnlyList<FourTuple>? ListClosed(SetElements elements) => elements.List(s_closed);

    /// <summary>Removes the whole gate, unless anything in the ruleset has changed since it had that number.</summary>
    /// <returns>False if something has changed; the gate stays.</returns>
    internal static bool RemoveIfUnchanged(SetElements elements, uint generation) =>
        elements.RemoveTableIfUnchanged(FourTupleSet.NFPROTO_INET, TableName, generation);

    /// <summary>Removes an entry whoever has made it.</summary>
    /// <returns>False if it was not there.</returns>
    internal static bool OpenForced(SetElements elements, FourTuple connection) => elements.Remove(s_closed, connection);

    private static ulong NamespaceOf(SafeHandle socket)
    {
        SocketOption.Get(socket, SocketLevel.SOL_SOCKET, SocketLevel.SO_NETNS_COOKIE, out ulong cookie);
        return cookie;
    }

    private static ConnectionGate Open(ulong cookie, GateOptions options)
    {
        if (!s_equipped.ContainsKey(cookie))
        {
            using (SetElements elements = new())
            {
                if (!elements.HasTable(FourTupleSet.NFPROTO_INET, TableName)) // a transaction that fails since it is there costs 10 ms
                    MakeTable(options);
            }

            s_equipped[cookie] = true;
        }

        return new ConnectionGate(options);
    }

    private static void MakeTable(GateOptions options)
    {
        string marked = $"& {options.MarkMask} == {options.Mark} drop";
        try
        {
            // One transaction: the table is there whole or not at all, and a table that is there is never touched: it may keep a pass closed.
            LibNftables.Run($$"""
                create table inet {{TableName}}
                add set inet {{TableName}} closed4 { type ipv4_addr . inet_service . ipv4_addr . inet_service; }
                add set inet {{TableName}} closed6 { type ipv6_addr . inet_service . ipv6_addr . inet_service; }
                add map inet {{TableName}} stamps4 { typeof {{Key("ip")}} : tcp option timestamp tsval; flags dynamic,timeout; timeout 1m; size 65536; }
                add map inet {{TableName}} stamps6 { typeof {{Key("ip6")}} : tcp option timestamp tsval; flags dynamic,timeout; timeout 1m; size 65536; }
                add chain inet {{TableName}} egress { type filter hook output priority raw; }
                add rule inet {{TableName}} egress meta mark {{marked}}
                add rule inet {{TableName}} egress {{Key("ip")}} @closed4 drop
                add rule inet {{TableName}} egress {{Key("ip6")}} @closed6 drop
                add chain inet {{TableName}} ingress { type filter hook prerouting priority raw; }
                add rule inet {{TableName}} ingress iif lo meta mark & {{options.MarkMask}} == {{options.ArrivalMark}} accept
                add rule inet {{TableName}} ingress ip daddr . tcp dport . ip saddr . tcp sport @closed4 drop
                add rule inet {{TableName}} ingress ip6 daddr . tcp dport . ip6 saddr . tcp sport @closed6 drop
                add rule inet {{TableName}} ingress meta l4proto tcp socket mark {{marked}}
                """);
            TimestampRule.Insert(TableName, "egress", "closed4", "stamps4", ipv6: false);
            TimestampRule.Insert(TableName, "egress", "closed6", "stamps6", ipv6: true);
        }
        catch (NftablesException e) when (e.Reason.Contains("File exists", StringComparison.Ordinal))
        {
            // Another program of this host has made it.
        }
    }

    private static string Key(string family) => $"{family} saddr . tcp sport . {family} daddr . tcp dport";
}
