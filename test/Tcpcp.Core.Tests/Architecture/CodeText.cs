using System.Text.RegularExpressions;

namespace Tcpcp.Core.Tests.Architecture;

/// <summary>C# text without comments, strings and characters. Rough: code in the braces of an interpolated string goes with the string.</summary>
internal static partial class CodeText
{
    public static string Of(string source) => NoCode().Replace(source, match => match.Value.StartsWith('/') ? " " : "\"\"");

    [GeneratedRegex("""
        //[^\n]*
        | /\*.*?\*/
        | \$*(?<quotes>"{3,}).*?\k<quotes>
        | (?:@\$?|\$@)"(?:[^"]|"")*"
        | \$?"(?:[^"\\\n]|\\.)*"
        | '(?:[^'\\\n]|\\[^\n]{1,9}?)'
        """, RegexOptions.Singleline | RegexOptions.IgnorePatternWhitespace | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex NoCode();
}
