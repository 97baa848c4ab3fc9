using System.Net;
using System.Net.Sockets;
using Tcpcp.Linux.Nftables;

namespace Tcpcp.Lab;

/// <summary>
/// Loses every packet from or to single addresses, in the switch or on a host's loopback: the senders' kernels take them for sent. Connections of other
/// addresses are not touched.
/// </summary>
internal sealed class AddressLoss
{
    private readonly Action<Action> _run;
    private readonly string _table;

    private AddressLoss(Action<Action> run, string family)
    {
        _run = run;
        _table = $"{family} tcpcp-loss";
    }

    /// <param name="run">Runs a delegate on the switch.</param>
    public static AddressLoss OnSwitch(Action<Action> run) => Open(run, "bridge", "type filter hook forward priority 0;");

    /// <param name="run">Runs a delegate on the host.</param>
    public static AddressLoss OnLoopback(Action<Action> run) => Open(run, "netdev", "type filter hook ingress device lo priority 0;");

    /// <summary>Loses what comes from the address, until the scope is left.</summary>
    public IDisposable From(IPAddress address) => new Loss(this, address, "from");

    /// <summary>Loses what goes to the address, until the scope is left.</summary>
    public IDisposable To(IPAddress address) => new Loss(this, address, "to");

    private static AddressLoss Open(Action<Action> run, string family, string hook)
    {
        AddressLoss loss = new(run, family);
        run(() => LibNftables.Run($$"""
            table {{loss._table}} {
                set from4 { type ipv4_addr; }
                set from6 { type ipv6_addr; }
                set to4 { type ipv4_addr; }
                set to6 { type ipv6_addr; }
                chain loss {
                    {{hook}}
                    ip saddr @from4 drop
                    ip daddr @to4 drop
                    meta l4proto ipv6-icmp accept
                    ip6 saddr @from6 drop
                    ip6 daddr @to6 drop
                }
            }
            """));
        return loss;
    }

    private void Change(string what, IPAddress address, string direction) => _run(() => LibNftables.Run(
        $"{what} element {_table} {direction}{(address.AddressFamily == AddressFamily.InterNetworkV6 ? 6 : 4)} {{ {address} }}"));

    private sealed class Loss : IDisposable
    {
        private readonly AddressLoss _loss;
        private readonly IPAddress _address;
        private readonly string _direction;
        private bool _disposed;

        public Loss(AddressLoss loss, IPAddress address, string direction)
        {
            (_loss, _address, _direction) = (loss, address, direction);
            loss.Change("add", address, direction);
        }

        public void Dispose()
        {
            if (!Interlocked.Exchange(ref _disposed, true))
                _loss.Change("delete", _address, _direction);
        }
    }
}
