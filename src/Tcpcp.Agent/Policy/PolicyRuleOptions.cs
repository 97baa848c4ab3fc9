namespace Tcpcp.Agent.Policy;

/// <summary>One rule of the policy as the configuration has it: what an origin may pass to this host. Nothing is allowed that no rule names.</summary>
internal sealed record PolicyRuleOptions
{
    /// <summary>The rule's key within the list; null: its index.</summary>
    public string? Key { get; init; }

    /// <summary>The name of the origin's certificate; <c>*</c>: any agent with a certificate of the authority.</summary>
    public string? Origin { get; init; }

    /// <summary>Applications; <c>*</c>: any that is registered. Default: none.</summary>
    public IReadOnlyList<string> Applications { get; init; } = [];

    /// <summary>Ranges of local (service) addresses, such as <c>192.0.2.0/24</c> or <c>2001:db8::1</c>; <c>*</c>: any. Default: none.</summary>
    public IReadOnlyList<string> Addresses { get; init; } = [];

    /// <summary>Local ports, such as <c>443</c> or <c>8000-8099</c>; <c>*</c>: any. Default: none.</summary>
    public IReadOnlyList<string> Ports { get; init; } = [];
}
