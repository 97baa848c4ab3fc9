namespace Tcpcp.Lab;

/// <summary>Which packets of a host are lost.</summary>
public enum LossDirection
{
    /// <summary>Those that it should receive.</summary>
    Ingress,

    /// <summary>Those that it sends.</summary>
    Egress,
}
