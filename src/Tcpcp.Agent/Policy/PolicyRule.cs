using System.Globalization;
using System.Net;
using Tcpcp.Agent.Link;
using Tcpcp.Core;

namespace Tcpcp.Agent.Policy;

/// <summary>One rule that has been checked.</summary>
internal sealed class PolicyRule
{
    private const string Any = "*";

    private readonly List<AddressRange> _addresses = [];
    private readonly List<PortRange> _ports = [];
    private readonly PolicyRuleOptions _options;

    private PolicyRule(PolicyRuleOptions options, string key) => (_options, Key) = (options, key);

    /// <summary>The configuration's key of the rule.</summary>
    public string Key { get; }

    /// <param name="faults">Every fault is added, each a sentence that begins with its key.</param>
    public static PolicyRule Parse(PolicyRuleOptions options, string key, ICollection<string> faults)
    {
        PolicyRule rule = new(options, key);
        if (string.IsNullOrWhiteSpace(options.Origin))
            faults.Add($"{key}:origin is missing: the name of an origin's certificate, or {Any}.");
        else if (options.Origin != Any && CertificateNames.FindFault(options.Origin) is { } unnamed)
            faults.Add($"{key}:origin: {unnamed}");
        Require(options.Applications, key, "applications", "names of applications", faults);
        Require(options.Addresses, key, "addresses", "ranges of local addresses", faults);
        Require(options.Ports, key, "ports", "local ports", faults);
        for (int i = 0; i < options.Applications.Count; i++)
        {
            if (string.IsNullOrWhiteSpace(options.Applications[i]))
                faults.Add(Fault(key, "applications", i, "a name is empty."));
        }

        for (int i = 0; i < options.Addresses.Count; i++)
        {
            if (options.Addresses[i] == Any)
                rule._addresses.AddRange([new AddressRange(new IPNetwork(IPAddress.Any, 0)), new AddressRange(new IPNetwork(IPAddress.IPv6Any, 0))]);
            else if (AddressRange.TryParse(options.Addresses[i], out AddressRange range) is { } fault)
                faults.Add(Fault(key, "addresses", i, fault));
            else
                rule._addresses.Add(range);
        }

        for (int i = 0; i < options.Ports.Count; i++)
        {
            if (options.Ports[i] == Any)
                rule._ports.Add(new PortRange(1, ushort.MaxValue));
            else if (PortRange.TryParse(options.Ports[i], out PortRange range) is { } fault)
                faults.Add(Fault(key, "ports", i, fault));
            else
                rule._ports.Add(range);
        }

        return rule;
    }

    public bool IsOf(string origin) => _options.Origin == Any || CertificateNames.AreSame(_options.Origin!, origin);

    public bool HasApplication(string application) => _options.Applications.Any(name => name == Any || string.Equals(name, application, StringComparison.Ordinal));

    public bool HasAddress(IPAddress address) => _addresses.Any(range => range.Contains(address));

    public bool HasPort(int port) => _ports.Any(range => range.Contains(port));

    private static void Require(IReadOnlyList<string> values, string key, string name, string what, ICollection<string> faults)
    {
        if (values.Count == 0)
            faults.Add($"{key}:{name} is empty, so that the rule allows nothing: list {what}, or {Any}.");
    }

    private static string Fault(string key, string name, int index, string fault) => string.Create(CultureInfo.InvariantCulture, $"{key}:{name}:{index}: {fault}");
}
