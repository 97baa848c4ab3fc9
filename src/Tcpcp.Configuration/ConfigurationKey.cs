namespace Tcpcp.Configuration;

/// <summary>A key of a program's configuration, as the page about it has it.</summary>
/// <param name="Name">With colons between its parts; <c>*</c> stands for a name of the operator's choice.</param>
/// <param name="Default">As it would be written; empty: the key must be there; "none": there need not be a value.</param>
/// <param name="Meaning">What it is, with the unit.</param>
/// <param name="Danger">What can go wrong by another value; empty if nothing much.</param>
internal sealed record ConfigurationKey(string Name, string Default, string Meaning, string Danger = "")
{
    public const string None = "none";

    /// <summary>Whether it may have several values.</summary>
    public bool IsList { get; init; }
}
