using System.Globalization;
using Tcpcp.Linux.Netlink;

namespace Tcpcp.Cli.Doctor;

/// <summary>Settings of the calling thread's network namespace that matter where packets are forwarded ("redirection": "forward"). They are shown, and never changed.</summary>
internal static class ForwardingSettings
{
    private const string Strict = "1"; // rp_filter, RFC 3704, 2.2

    public static IReadOnlyList<SettingReport> Look()
    {
        using RouteNetlink route = RouteNetlink.Open();
        List<SettingReport> found =
        [
            Routing("net.ipv4.ip_forward"),
            Routing("net.ipv6.conf.all.forwarding"),
        ];
        foreach (LinkInfo link in route.Links.List().Where(link => link.IsUp && link.HardwareAddress.GetAddressBytes().Any(one => one != 0)))
        {
            string name = $"net.ipv4.conf.{link.Name}.rp_filter";
            // The stricter of both holds; 2 is loose, and the higher number.
            int effective = Math.Max(Number(Read("net.ipv4.conf.all.rp_filter")), Number(ReadOf(link.Name, "rp_filter")));
            bool isStrict = effective.ToString(CultureInfo.InvariantCulture) == Strict;
            found.Add(new SettingReport(name, effective.ToString(CultureInfo.InvariantCulture), !isStrict,
                isStrict ? "Forwarded packets are dropped without a word where the route to their peer is over another interface than the one that they come by." : null,
                isStrict ? $"sysctl -w {name.Replace($".{link.Name}.", $".{Escaped(link.Name)}.", StringComparison.Ordinal)}=2" : null));
        }

        return found;
    }

    private static SettingReport Routing(string name)
    {
        string value = Read(name);
        bool routes = Number(value) != 0;
        return new SettingReport(name, value, !routes,
            routes ? "A router sends packets of a forwarded connection that has ended here back to their home, which forwards them again, until their hops are used up; a host drops them." : null,
            routes ? $"sysctl -w {name}=0" : null);
    }

    private static string Read(string name) => ReadFile(name.Replace('.', '/'));

    private static string ReadOf(string link, string setting) => ReadFile($"net/ipv4/conf/{link}/{setting}"); // a link's name may have dots

    // What is not there is off: a kernel without IPv6.
    private static string ReadFile(string path) => File.Exists("/proc/sys/" + path) ? File.ReadAllText("/proc/sys/" + path).Trim() : "0";

    private static int Number(string text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : 0;

    // sysctl takes a slash for the dot of a name.
    private static string Escaped(string link) => link.Replace('.', '/');
}

/// <summary>A setting of the kernel.</summary>
/// <param name="Name">As sysctl has it.</param>
/// <param name="Value">What holds.</param>
/// <param name="Fits">It is as forwarding wants it.</param>
/// <param name="Detail">What happens otherwise; null if it fits.</param>
/// <param name="Command">What mends it; null if it fits.</param>
internal sealed record SettingReport(string Name, string Value, bool Fits, string? Detail, string? Command);
