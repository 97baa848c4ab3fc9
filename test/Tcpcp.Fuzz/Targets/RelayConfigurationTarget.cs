using System.Text;
using Tcpcp.Relay.Settings;

namespace Tcpcp.Fuzz.Targets;

/// <summary>A relay's configuration file.</summary>
internal sealed class RelayConfigurationTarget : ConfigurationFileTarget
{
    public override string Name => "relay-configuration";

    public override IReadOnlyList<byte[]> Tokens =>
    [
        .. RelayKeys.All.SelectMany(key => key.Name.Split(':')).Distinct(StringComparer.Ordinal).Select(part => $"\"{part}\": ").Concat(
        [
            "\"least-connections\"", "\"consistent-hash\"", "\"drain\"", "\"maint\"", "\"192.0.2.0/24\"", "\"[::]:0\"", "\"192.0.2.100:5432\"", "\"30ms\"", "\"1e300s\"", "\"-1h\"", "1e999", "-1", "257",
            "4294967296", "true", "null", "[]", "{}", "\"\"", "\"*.example.net\"", "{\"a\":", ",", "]", "}", "/*", "//", "\\u0000",
        ]).Select(Encoding.UTF8.GetBytes),
    ];

    public override IEnumerable<byte[]> Seeds() => ((string[])
    [
        """{"listeners":{"l":{"listen":["192.0.2.100:5432"],"pool":"p"}},"pools":{"p":{"servers":{"s":{"address":"192.0.2.51:5432"}}}}}""",
        """{"threads":2,"buffer-bytes":4096,"agent":"none","listeners":{"l":{"listen":["[::]:443"],"names":{"*.example.net":"p"},"proxy-protocol":true,"max-sessions":5,"allow":["192.0.2.0/24"],"deny":["::1"],"idle-timeout":"5m","keep-alive":"none"}},"pools":{"p":{"balance":"consistent-hash","source":["192.0.2.101"],"retries":2,"max-queued":3,"slow-start":"5s","eject":{"after":1,"time":"5s"},"check":{"interval":"2s","timeout":"1s","rise":1,"fall":2},"servers":{"s":{"address":"192.0.2.51:1","weight":256,"backup":true,"state":"maint","max-sessions":7,"send-proxy":true}}}}}""",
    ]).Select(Encoding.UTF8.GetBytes);

    protected override void Read(string path) => RelayConfiguration.Read(path);
}
