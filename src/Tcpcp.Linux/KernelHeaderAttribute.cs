namespace Tcpcp.Linux;

/// <summary>
/// Says which system headers define the constants of a class, or the C structure that a struct mirrors. A test compiles a C program that
/// asserts each upper-case constant, and the size and the field offsets of each structure, as far as the installed headers define them.
/// </summary>
/// <param name="headers">As in <c>#include</c>.</param>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Struct)]
internal sealed class KernelHeaderAttribute(params string[] headers) : Attribute
{
    public IReadOnlyList<string> Headers { get; } = headers;

    /// <summary>For a struct: its C name, such as <c>struct tcp_info</c>.</summary>
    public string? Structure { get; init; }

    /// <summary>For a struct whose fields have names of our own: their C names in the same order, separated by spaces.</summary>
    public string? Fields { get; init; }
}
