using System.Net;
using System.Net.Sockets;
using Tcpcp.Linux.Nftables;

namespace Tcpcp.Agent.Redirection;

/// <summary>
/// While an address moves to another host: drops the SYNs that arrive for it, so that they are neither answered here any more nor refused by an RST; the peers send
/// them again, to the host that has it then. Handshakes that have begun go on. Gone with <see cref="Dispose"/>, or with the next agent's start.
/// </summary>
internal sealed class NewConnectionStop : IDisposable
{
    /// <summary>Name of the table.</summary>
    public const string TableName = "tcpcp-move";

    private NewConnectionStop()
    {
    }

    /// <summary>One at a time, in the calling thread's network namespace.</summary>
    public static NewConnectionStop Begin(IPAddress address)
    {
        string family = address.AddressFamily == AddressFamily.InterNetworkV6 ? "ip6" : "ip";
        LibNftables.Run($$"""
            add table inet {{TableName}}
            delete table inet {{TableName}}
            add table inet {{TableName}}
            add chain inet {{TableName}} arrival { type filter hook prerouting priority raw; }
            add rule inet {{TableName}} arrival {{family}} daddr {{address}} tcp flags & (fin | syn | rst | ack) == syn drop
            """);
        return new NewConnectionStop();
    }

    /// <summary>Whether new connections are stopped in the calling thread's network namespace.</summary>
    public static bool IsThere()
    {
        using SetElements elements = new();
        return elements.HasTable(FourTupleSet.NFPROTO_INET, TableName);
    }

    /// <summary>Takes away what an agent has left that died meanwhile.</summary>
    public static void Clean()
    {
        if (IsThere())
            LibNftables.Run($"delete table inet {TableName}");
    }

    public void Dispose() => Clean();
}
