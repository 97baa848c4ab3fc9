using Tcpcp.Core;

namespace Tcpcp.Linux.Switching;

/// <summary>What becomes of a connection's packets.</summary>
internal readonly record struct SwitchEntry(FourTuple Connection, PacketTarget Target)
{
    /// <exception cref="InvalidOperationException">The next hop is of another family than the connection.</exception>
    public void Check()
    {
        if (Target.NextHop is { } nextHop && nextHop.AddressFamily != Connection.Local.AddressFamily)
            throw new InvalidOperationException($"{nextHop} cannot be the next hop of {Connection}: it is of another family.");
    }
}

/// <summary>An entry with what it has done.</summary>
/// <param name="Packets">That came since the entry was set.</param>
/// <param name="Bytes">Their length with link-layer headers, or without: as the implementation counts.</param>
internal readonly record struct SwitchStatistics(SwitchEntry Entry, long Packets, long Bytes);
