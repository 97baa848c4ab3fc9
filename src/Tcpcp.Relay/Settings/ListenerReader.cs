using System.Net;
using Tcpcp.Configuration;
using Tcpcp.Core;
using Tcpcp.Relay.Sessions;

namespace Tcpcp.Relay.Settings;

/// <summary>Reads what a configuration says of a listener.</summary>
internal static class ListenerReader
{
    private static readonly TimeSpan s_least = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan s_most = TimeSpan.FromDays(365);

    /// <exception cref="ConfigurationException">A key's value makes no sense.</exception>
    public static ListenerSettings Read(ConfigurationReader reader, string name)
    {
        string key = $"listeners:{name}";
        return new ListenerSettings
        {
            Name = name,
            Addresses = ReadAddresses(reader, $"{key}:listen"),
            Pool = OptionalText(reader, $"{key}:pool"),
            Names = reader.Names($"{key}:names").ToDictionary(one => one, one => reader.Text($"{key}:names:{one}"), StringComparer.OrdinalIgnoreCase),
            ExpectsProxyHeader = reader.Flag($"{key}:proxy-protocol", otherwise: false),
            PrologueTime = reader.Time($"{key}:prologue-timeout", TimeSpan.FromSeconds(5), s_least, s_most),
            MaxSessions = reader.Number($"{key}:max-sessions", 0, 0, int.MaxValue),
            MaxPerSource = reader.Number($"{key}:max-per-source", 0, 0, int.MaxValue),
            Backlog = reader.Number($"{key}:backlog", 1024, 1, 65535),
            Allow = ReadRanges(reader, $"{key}:allow"),
            Deny = ReadRanges(reader, $"{key}:deny"),
            Timeouts = new SessionTimeouts(
                OptionalTime(reader, $"{key}:idle-timeout", null), OptionalTime(reader, $"{key}:half-closed-timeout", null), OptionalTime(reader, $"{key}:total-timeout", null)),
            KeepAlive = OptionalTime(reader, $"{key}:keep-alive", TimeSpan.FromSeconds(60)),
            UserTimeout = OptionalTime(reader, $"{key}:user-timeout", null),
        };
    }

    /// <summary>A time that may be written as none.</summary>
    public static TimeSpan? OptionalTime(ConfigurationReader reader, string key, TimeSpan? otherwise) =>
        reader.Find(key) switch
        {
            null => otherwise,
            ConfigurationKey.None => null,
            _ => reader.FindTime(key, s_least, s_most),
        };

    private static string? OptionalText(ConfigurationReader reader, string key) => reader.Text(key, ConfigurationKey.None) is var text && text == ConfigurationKey.None ? null : text;

    private static IPEndPoint[] ReadAddresses(ConfigurationReader reader, string key)
    {
        IPEndPoint[] addresses = [.. reader.List(key).Select(text => IPEndPoint.TryParse(text, out IPEndPoint? one) && one.Port > 0 ? one
            : throw new ConfigurationException(key, $"'{text}' is not an address and port. Write for instance 192.0.2.100:5432 or [2001:db8::100]:5432."))];
        return addresses.Length > 0 ? addresses : throw new ConfigurationException(key, "an address and port are needed, as 192.0.2.100:5432.");
    }

    private static AddressRange[] ReadRanges(ConfigurationReader reader, string key) =>
        [.. reader.List(key).Where(text => text != ConfigurationKey.None).Select(text => AddressRange.TryParse(text, out AddressRange range) is { } fault
            ? throw new ConfigurationException(key, fault) : range)];
}
