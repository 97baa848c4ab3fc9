using System.Text;
using Tcpcp.Agent.Hosting;

namespace Tcpcp.Fuzz.Targets;

/// <summary>An agent's configuration file.</summary>
internal sealed class ConfigurationTarget : ConfigurationFileTarget
{
    public override string Name => "configuration";

    public override IReadOnlyList<byte[]> Tokens =>
    [
        .. AgentKeys.All.SelectMany(key => key.Name.Split(':')).Distinct(StringComparer.Ordinal).Select(part => $"\"{part}\": ").Concat(
        [
            "\"gateway\"", "\"peer-route\"", "\"forward\"", "\"hook\"", "\"vxlan\"", "\"::\"", "\"::ffff:192.0.2.1\"", "\"fe80::1%eth0\"", "\"192.0.2.0/24\"", "\"[::1]:7300\"", "\"30ms\"",
            "\"1e300s\"", "\"-1h\"", "\"NaNs\"", "\"Infinityh\"", "1e999", "-1", "4294967296", "true", "null", "[]", "{}", "\"\"", "\"*\"", "{\"a\":", ",", "]", "}", "/*", "//", "\\u0000", "\"0-65535\"",
        ]).Select(Encoding.UTF8.GetBytes),
    ];

    public override IEnumerable<byte[]> Seeds()
    {
        const string Host = """
            {"name":"host-a","interface":"eth0","listen":"192.0.2.11:7300","certificate":{"file":"/a.pem","key":"/a.key","authority":"/c.pem"},
            """;
        foreach (string rest in (string[])
        [
            """ "destinations":{"host-b":{"address":"192.0.2.12:7300","packets":["192.0.2.12","2001:db8::12"],"tunnel":"vxlan"}},"redirection":"forward"}""",
            """ "policy":[{"origin":"host-b","applications":["file-server"],"addresses":["192.0.2.100/32","*"],"ports":["80","8000-8099"]}],"redirection":"takeover"}""",
            """ "role":"gateway","gateway":{"services":[{"addresses":["192.0.2.100"],"ports":["80"]}],"backends":{"b":{"address":"192.0.2.11:7300","packets":["192.0.2.11"],"draining":true}},"connections":2048}}""",
            """ "role":"peer-route","peer-route":{"hosts":{"host-a":{"next-hops":["192.0.2.11","2001:db8::11"],"addresses":["192.0.2.100","2001:db8::/64"]}}}}""",
            """ "redirection":"hook","hook":{"command":["/bin/true","x"],"timeout":"5s"},"limits":{"frozen":8,"clients":9,"queue-bytes":65536},"unaware":true}""",
            """ "redirection":"gateway","redirectors":{"g":{"address":"192.0.2.9:7300"}},"bounds":{"hold":"5s","answer":"2s","hold-bytes":65536,"resolve-first":"50ms"},"congestion":"keep","ecn":"refuse"}""",
            """ "local":{"socket":"/s","applications-group":"a","operators-group":"b"},"journal":"/run/x","in-doubt":{"abandon-after":"1h"},"metrics":{"listen":"127.0.0.1:9","otlp":"http://192.0.2.9:4318"},"log-level":"debug","hold":"veth","packet-switch":"bpf"}""",
        ])
            yield return Encoding.UTF8.GetBytes(Host + rest);
    }

    protected override void Read(string path) => AgentConfiguration.Read(path);
}
