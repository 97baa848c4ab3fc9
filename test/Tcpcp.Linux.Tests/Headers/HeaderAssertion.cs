namespace Tcpcp.Linux.Tests.Headers;

/// <summary>What we believe about the system headers.</summary>
/// <param name="Subject">The constant, structure or field of ours that it is about.</param>
/// <param name="Condition">In C; a constant expression.</param>
internal readonly record struct HeaderAssertion(string Subject, string Condition)
{
    public static HeaderAssertion Equal(string subject, string expression, long value) =>
        new(subject, $"(long long)({expression}) == {(value == long.MinValue ? "-9223372036854775807LL - 1" : $"{value}LL")}");
}

/// <summary>What the compiler said to the assertions of one program.</summary>
/// <param name="True">Assertions that hold.</param>
/// <param name="False">Assertions that do not hold.</param>
/// <param name="Undefined">Assertions about something that the headers do not define, with the compiler's words.</param>
/// <param name="MissingHeader">The header that is not installed; then nothing else is known.</param>
internal sealed record HeaderVerdict(
    IReadOnlyList<HeaderAssertion> True, IReadOnlyList<HeaderAssertion> False, IReadOnlyList<string> Undefined, string? MissingHeader);
