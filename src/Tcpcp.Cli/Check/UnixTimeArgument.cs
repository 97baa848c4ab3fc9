using System.CommandLine.Parsing;
using System.Globalization;

namespace Tcpcp.Cli.Check;

/// <summary>Instants as tcpdump -tt prints them: seconds since 1970 with a fraction.</summary>
internal static class UnixTimeArgument
{
    private const decimal LastSecond = 253_402_300_799m; // the end of the year 9999

    public static DateTimeOffset[] Parse(ArgumentResult result)
    {
        List<DateTimeOffset> instants = [];
        foreach (Token token in result.Tokens)
        {
            if (decimal.TryParse(token.Value, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal seconds)
                && seconds <= LastSecond)
                instants.Add(DateTimeOffset.UnixEpoch.AddTicks((long)(seconds * TimeSpan.TicksPerSecond)));
            else
                result.AddError($"'{token.Value}' is no instant: give seconds since 1970, for example 1764000000.25.");
        }
        return [.. instants];
    }
}
