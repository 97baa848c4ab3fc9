using System.Globalization;
using System.Net;

namespace Tcpcp.Linux.Switching;

/// <summary>Names of the chains that stand for targets: <c>hold-7</c>, <c>to-2-0a000003</c> with the interface's index and the next hop.</summary>
internal static class TargetChain
{
    private const string Hold = "hold";
    private const string Redirect = "to";

    public static string NameOf(PacketTarget target) => target.NextHop is { } nextHop
        ? string.Create(CultureInfo.InvariantCulture, $"{Redirect}-{target.Interface}-{Convert.ToHexStringLower(nextHop.GetAddressBytes())}")
        : string.Create(CultureInfo.InvariantCulture, $"{Hold}-{target.Interface}");

    /// <returns>Null if it is not the name of such a chain.</returns>
    public static PacketTarget? Parse(string name) => name.Split('-') switch
    {
        [Hold, string index] when TryIndex(index, out int hold) => PacketTarget.Hold(hold),
        [Redirect, string index, { Length: 8 or 32 } address] when TryIndex(index, out int link) =>
            PacketTarget.Redirect(link, new IPAddress(Convert.FromHexString(address))),
        _ => null,
    };

    private static bool TryIndex(string text, out int index) => int.TryParse(text, CultureInfo.InvariantCulture, out index) && index > 0;
}
