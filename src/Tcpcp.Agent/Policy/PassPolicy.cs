using System.Globalization;
using System.Net;
using Tcpcp.Core;

namespace Tcpcp.Agent.Policy;

/// <summary>Who may pass what to this host. What no rule allows is refused.</summary>
internal sealed class PassPolicy
{
    /// <summary>The configuration's key of the rules.</summary>
    public const string DefaultKey = "policy";

    private readonly PolicyRule[] _rules;
    private readonly string _key;

    private PassPolicy(PolicyRule[] rules, string key) => (_rules, _key) = (rules, key);

    /// <summary>Makes a policy of rules, of which one that is enough allows a connection.</summary>
    /// <param name="faults">Every fault of the rules is added, each a sentence that begins with its key: a policy with faults must not be used.</param>
    /// <param name="key">The configuration's key of the list.</param>
    public static PassPolicy Parse(IReadOnlyList<PolicyRuleOptions> rules, ICollection<string> faults, string key = DefaultKey) =>
        new([.. rules.Select((rule, index) => PolicyRule.Parse(rule, $"{key}:{rule.Key ?? index.ToString(CultureInfo.InvariantCulture)}", faults))], key);

    /// <summary>May this origin pass these connections, as this application?</summary>
    /// <param name="origin">The name of its certificate; null: it has shown none.</param>
    /// <param name="connections">As the service sees them: its own address and port are local.</param>
    /// <returns>Null if so, else which key to change, in a sentence.</returns>
    public string? FindObstacle(string? origin, string application, IReadOnlyList<FourTuple> connections)
    {
        if (origin is null)
            return "The policy is by the names of certificates, and the link has none.";
        PolicyRule[] rules = [.. _rules.Where(rule => rule.IsOf(origin))];
        if (rules.Length == 0)
            return $"No rule here lets '{origin}' pass anything: add one with \"origin\": \"{origin}\" to {_key}.";
        PolicyRule[] fitting = [.. rules.Where(rule => rule.HasApplication(application))];
        return fitting.Length == 0
            ? $"'{origin}' may not pass connections of '{application}' to here: add \"{application}\" to {rules[0].Key}:applications."
            : connections.Select(connection => FindObstacle(fitting, origin, connection.Local)).FirstOrDefault(obstacle => obstacle is not null);
    }

    /// <summary>May this origin pass such a connection, of whichever application?</summary>
    /// <param name="origin">The name of its certificate; null: it has shown none.</param>
    public bool Concerns(string? origin, FourTuple connection) => origin is not null
        && _rules.Any(rule => rule.IsOf(origin) && rule.HasAddress(connection.Local.Address) && rule.HasPort(connection.Local.Port));

    private static string? FindObstacle(PolicyRule[] rules, string origin, IPEndPoint local)
    {
        PolicyRule[] fitting = [.. rules.Where(rule => rule.HasAddress(local.Address))];
        if (fitting.Length == 0)
            return $"'{origin}' may not pass connections of the address {local.Address} to here: add \"{local.Address}\" to {rules[0].Key}:addresses.";
        return fitting.Any(rule => rule.HasPort(local.Port)) ? null : string.Create(CultureInfo.InvariantCulture,
            $"'{origin}' may not pass connections of port {local.Port} of {local.Address} to here: add \"{local.Port}\" to {fitting[0].Key}:ports.");
    }
}
