using System.Globalization;
using System.Net;
using Microsoft.Extensions.Configuration;

namespace Tcpcp.Configuration;

/// <summary>Reads values of a configuration by their keys; every fault names the key.</summary>
internal sealed class ConfigurationReader(IConfiguration configuration, ConfigurationKeys keys)
{
    private static readonly (string Suffix, double Seconds)[] s_units = [("ms", 0.001), ("us", 0.000001), ("s", 1), ("m", 60), ("h", 3600)];

    /// <exception cref="ConfigurationException">There is a key that the program does not know.</exception>
    public void RequireKnownKeys()
    {
        foreach ((string name, string? value) in configuration.AsEnumerable())
        {
            // A list that is empty has an empty value: "policy": [].
            if (value is not null && keys.Find(name) is null && !(value.Length == 0 && keys.HasSection(name)))
                throw new ConfigurationException(name, $"there is no such key. See {keys.Document} for those that there are.");
        }
    }

    public string? Find(string key) => configuration[key] is { Length: > 0 } value ? value : null;

    public string Text(string key, string? otherwise = null) =>
        Find(key) ?? otherwise ?? throw new ConfigurationException(key, $"a value is needed. See {keys.Document}.");

    public bool Flag(string key, bool otherwise) => Find(key) is not { } text ? otherwise
        : bool.TryParse(text, out bool value) ? value : throw new ConfigurationException(key, $"'{text}' is neither true nor false.");

    public int Number(string key, int otherwise, int least, int most)
    {
        if (Find(key) is not { } text)
            return otherwise;
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value) && value >= least && value <= most
            ? value
            : throw new ConfigurationException(key, $"'{text}' is not a number from {least} to {most}.");
    }

    /// <summary>A time as "30ms", "2s", "5m" or "1h".</summary>
    public TimeSpan Time(string key, TimeSpan otherwise, TimeSpan least, TimeSpan most) => FindTime(key, least, most) ?? otherwise;

    /// <returns>Null if the key is not there.</returns>
    public TimeSpan? FindTime(string key, TimeSpan least, TimeSpan most)
    {
        if (Find(key) is not { } text)
            return null;
        foreach ((string suffix, double seconds) in s_units)
        {
            if (!text.EndsWith(suffix, StringComparison.Ordinal)
                || !double.TryParse(text[..^suffix.Length], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number)
                || !double.IsFinite(number))
                continue;
            TimeSpan time = TimeSpan.FromSeconds(Math.Min(number * seconds, TimeSpan.MaxValue.TotalSeconds / 2));
            return time >= least && time <= most ? time : throw new ConfigurationException(key, $"'{text}' is not between {Show(least)} and {Show(most)}.");
        }

        throw new ConfigurationException(key, $"'{text}' is not a time. Write for instance 30ms, 2s, 5m or 1h.");
    }

    public IPEndPoint EndPoint(string key) => FindEndPoint(key) ?? throw new ConfigurationException(key, "an address and port are needed, as 192.0.2.1:7300.");

    /// <returns>Null if the key is not there.</returns>
    public IPEndPoint? FindEndPoint(string key) => Find(key) is not { } text ? null
        : IPEndPoint.TryParse(text, out IPEndPoint? value) && value.Port > 0 ? value
        : throw new ConfigurationException(key, $"'{text}' is not an address and port. Write for instance 192.0.2.1:7300 or [2001:db8::1]:7300.");

    public IReadOnlyList<string> List(string key, params IReadOnlyList<string> otherwise)
    {
        IConfigurationSection section = configuration.GetSection(key);
        if (section.Value is { Length: > 0 } single)
            return [single];
        string[] values = [.. section.GetChildren().Select(child => child.Value
            ?? throw new ConfigurationException(child.Path, "a list of plain values is needed."))];
        return values.Length > 0 ? values : otherwise;
    }

    /// <summary>The names below a key that are of the operator's choice.</summary>
    public IReadOnlyList<string> Names(string key) => [.. configuration.GetSection(key).GetChildren().Select(child => child.Key)];

    private static string Show(TimeSpan time) => time < TimeSpan.FromSeconds(1)
        ? string.Create(CultureInfo.InvariantCulture, $"{time.TotalMilliseconds}ms") : string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds}s");
}
