using System.Net;

namespace Tcpcp.Linux.Switching;

/// <summary>A verdict with what it needs.</summary>
internal readonly record struct PacketTarget
{
    private PacketTarget(PacketVerdict verdict, int interfaceIndex = 0, IPAddress? nextHop = null) =>
        (Verdict, Interface, NextHop) = (verdict, interfaceIndex, nextHop);

    public PacketVerdict Verdict { get; }

    /// <summary>Index of the interface that the packet leaves by; 0: none.</summary>
    public int Interface { get; }

    /// <summary>The neighbour that it is sent to, of the packet's own family; null: none.</summary>
    public IPAddress? NextHop { get; }

    public static PacketTarget Pass { get; } = new(PacketVerdict.Pass);

    public static PacketTarget Drop { get; } = new(PacketVerdict.Drop);

    public static PacketTarget Hold(int interfaceIndex) => new(PacketVerdict.Hold, Checked(interfaceIndex));

    /// <exception cref="ArgumentNullException">There is no next hop.</exception>
    public static PacketTarget Redirect(int interfaceIndex, IPAddress nextHop)
    {
        ArgumentNullException.ThrowIfNull(nextHop);
        return new PacketTarget(PacketVerdict.Redirect, Checked(interfaceIndex), nextHop);
    }

    private static int Checked(int interfaceIndex)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(interfaceIndex);
        return interfaceIndex;
    }
}
