using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Configuration;
using Tcpcp.Configuration;
using Tcpcp.Core.Tests.Architecture;
using Tcpcp.Relay.Settings;

namespace Tcpcp.Relay.Tests.Settings;

public class RelayConfigurationTests
{
    private const string Document = "docs/relay.md";
    private const string Schema = "docs/relay.schema.json";

    private const string Whole = """
        {
          "listeners": {
            "web": { "listen": ["192.0.2.100:443", "[2001:db8::100]:443"], "pool": "plain", "names": { "a.example.net": "other", "*.example.net": "plain" },
                     "allow": ["192.0.2.0/24"], "deny": ["192.0.2.66"], "idle-timeout": "1h", "keep-alive": "none" }
          },
          "pools": {
            "plain": { "servers": { "s1": { "address": "192.0.2.50:443", "weight": 3 }, "s2": { "address": "192.0.2.51:443", "backup": true } }, "check": { "interval": "2s" } },
            "other": { "balance": "consistent-hash", "servers": { "s3": { "address": "192.0.2.52:443" } } }
          }
        }
        """;

    [Fact]
    public void The_table_of_keys_in_the_document_is_that_of_the_code()
    {
        string text = SourceTree.Read(Document);
        StringBuilder table = new();
        foreach (ConfigurationKey key in RelayKeys.All)
        {
            string otherwise = key.Default.Length == 0 ? "must be there"
                : key.Default == ConfigurationKey.None || key.Default.Contains(' ', StringComparison.Ordinal) ? key.Default : $"`{key.Default}`";
            table.Append($"| `{key.Name}` | {otherwise} | {key.Meaning} | {key.Danger} |\n");
        }

        Assert.True(text.Contains(table.ToString(), StringComparison.Ordinal), $"The table in {Document} is not that of {nameof(RelayKeys)}. Put this there:\n{table}");
    }

    [Fact]
    public void The_schema_has_the_same_keys()
    {
        HashSet<string> keys = [];
        Collect(JsonNode.Parse(SourceTree.Read(Schema))!.AsObject(), "", keys);
        Assert.Equal(RelayKeys.All.Select(key => key.Name).Order(StringComparer.Ordinal), keys.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void A_whole_file_is_read()
    {
        RelayConfiguration read = Read(Whole);
        ListenerSettings web = Assert.Single(read.Listeners);
        Assert.Equal([IPEndPoint.Parse("192.0.2.100:443"), IPEndPoint.Parse("[2001:db8::100]:443")], web.Addresses);
        Assert.Equal((TimeSpan.FromHours(1), null), (web.Timeouts.Idle, web.KeepAlive));
        Assert.Equal(["other", "plain", "plain", "plain"], new[] { "A.example.net", "b.example.net", "c.b.example.net", null }.Select(web.PoolOf));
        Assert.Equal([true, false, false], new[] { "192.0.2.9", "192.0.2.66", "198.51.100.1" }.Select(address => web.Admits(IPAddress.Parse(address))));
        Assert.Equal([("other", Balance.ConsistentHash), ("plain", Balance.RoundRobin)], read.Pools.Select(pool => (pool.Name, pool.Balance)));
        Assert.Equal([3, 1], read.Pools[1].Servers.Select(server => server.Weight));
        Assert.Equal(TimeSpan.FromSeconds(2), read.Pools[1].Check!.Interval);
    }

    [Theory]
    [InlineData("listeners:web:pool", "\"pool\": \"plain\"", "\"pool\": \"nowhere\"", "There are: other, plain")]
    [InlineData("listeners:web:names:a.example.net", "\"other\", \"*", "\"nowhere\", \"*", "no pool 'nowhere'")]
    [InlineData("listeners:web:listen", "192.0.2.100:443", "192.0.2.100", "Write for instance")]
    [InlineData("listeners:web:allow", "192.0.2.0/24", "192.0.2.1/24", "begins with its lowest address")]
    [InlineData("listeners:web:idle-timeout", "1h", "soon", "30ms, 2s, 5m or 1h")]
    [InlineData("pools:plain:servers:s1:weight", "\"weight\": 3", "\"weight\": 300", "from 0 to 256")]
    [InlineData("pools:other:balance", "consistent-hash", "fair", "none of round-robin")]
    [InlineData("pools:plain:servers:s2:address", "192.0.2.51:443", "db2", "not an address and port")]
    [InlineData("listeners:web:bakclog", "\"pool\": \"plain\"", "\"pool\": \"plain\", \"bakclog\": 5", "docs/relay.md")]
    public void A_fault_names_its_key_and_says_what_to_do(string key, string before, string after, string says)
    {
        Assert.Contains(before, Whole, StringComparison.Ordinal);
        ConfigurationException fault = Assert.Throws<ConfigurationException>(() => Read(Whole.Replace(before, after, StringComparison.Ordinal)));
        Assert.Equal(key, fault.Key);
        Assert.Contains(says, fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{}", "listeners")]
    [InlineData("""{ "listeners": { "a": { "listen": "192.0.2.1:80" } } }""", "listeners:a:pool")]
    [InlineData("""{ "listeners": { "a": { "listen": "192.0.2.1:80", "pool": "p" } }, "pools": { "p": { "retries": 1 } } }""", "pools:p:servers")]
    [InlineData("""{ "listeners": { "a": { "listen": "192.0.2.1:80", "pool": "p" }, "b": { "listen": "192.0.2.1:80", "pool": "p" } }, "pools": { "p": { "servers": { "s": { "address": "192.0.2.2:80" } } } } }""", "listeners")]
    public void What_is_missing_or_does_not_fit_together_is_named(string text, string key) =>
        Assert.Equal(key, Assert.Throws<ConfigurationException>(() => Read(text)).Key);

    private static RelayConfiguration Read(string json) =>
        RelayConfiguration.Read(new ConfigurationBuilder().AddJsonStream(new MemoryStream(Encoding.UTF8.GetBytes(json))).Build());

    // "properties" are keys, "additionalProperties" with a schema is a name of the operator's choice.
    private static void Collect(JsonObject schema, string above, HashSet<string> keys)
    {
        foreach ((string name, JsonNode? below) in schema["properties"]?.AsObject() ?? [])
            Enter(below!.AsObject(), above + name);
        if (schema["additionalProperties"] is JsonObject any)
            Enter(any, above + "*");

        void Enter(JsonObject below, string name)
        {
            if (below["type"]?.GetValueKind() == JsonValueKind.String && below["type"]!.GetValue<string>() == "object")
                Collect(below, name + ":", keys);
            else
                keys.Add(name);
        }
    }
}
