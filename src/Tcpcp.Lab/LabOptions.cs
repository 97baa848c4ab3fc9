namespace Tcpcp.Lab;

/// <summary>How a lab is made.</summary>
public sealed record LabOptions
{
    /// <summary>MTU of every host's eth0 and of the switch, in bytes; default 1500.</summary>
    public int Mtu { get; init; } = 1500;
}
