using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Tcpcp.Agent.Hosting;
using Tcpcp.Configuration;
using Tcpcp.Core.Tests.Architecture;

namespace Tcpcp.EndToEnd.Tests.Agents;

/// <summary>Keys of the agent's configuration, as the agent reads them and as they are documented.</summary>
public sealed class ConfigurationTests : IDisposable
{
    private const string Document = "docs/configuration.md";
    private const string Header = "| key | default | meaning | danger |\n|---|---|---|---|\n";
    private const string Switch = "TCPCP_UPDATE_DOCS";

    private readonly string _file = Path.GetTempFileName();

    public static TheoryData<string> Required => [.. AgentKeys.All.Where(key => key.Default.Length == 0).Select(key => Example(key.Name))];

    public static TheoryData<string> WithDefault => [.. AgentKeys.All
        .Where(key => key.Default.Length > 0 && key.Default != ConfigurationKey.None && !key.Default.Contains(' ', StringComparison.Ordinal)).Select(key => key.Name)];

    [Fact]
    public void Every_key_is_documented()
    {
        string document = SourceTree.Read(Document);
        int begin = document.IndexOf(Header, StringComparison.Ordinal) + Header.Length;
        Assert.True(begin >= Header.Length, $"{Document} has lost its table.");
        int end = document.IndexOf("\n\n", begin, StringComparison.Ordinal) + 1;
        string printed = Print();
        if (Environment.GetEnvironmentVariable(Switch) == "1")
        {
            File.WriteAllText(Path.Combine(SourceTree.Root, Document), document[..begin] + printed + document[end..]);
            return;
        }

        Assert.True(document[begin..end] == printed, $"""
            The table in {Document} is not that of {nameof(AgentKeys)} any more. Print it anew and read the difference:
            {Switch}=1 dotnet run --project test/Tcpcp.EndToEnd.Tests -- -class {typeof(ConfigurationTests).FullName}
            """);
    }

    [Theory]
    [MemberData(nameof(Required))]
    public void A_required_key_that_is_missing_is_named(string key)
    {
        JsonObject configuration = GoodFor(key);
        if (configuration["destinations"] is not null)
            Set(configuration, "destinations:host-b:packets", "10.0.0.3"); // so that the destination is there still
        string[] parts = key.Split(':');
        JsonNode above = parts[..^1].Aggregate((JsonNode)configuration, Inside);
        Assert.True(above.AsObject().Remove(parts[^1]));
        Assert.Contains(key, Read(configuration), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(WithDefault))]
    public void The_documented_default_is_the_one_that_is_used(string key)
    {
        JsonObject configuration = GoodFor(key);
        if (key == "redirection")
            configuration.Remove(key);
        object?[] without = Values(configuration);
        Set(configuration, Example(key), AgentKeys.All.Single(one => one.Name == key).Default);
        Assert.Equal(without, Values(configuration));
    }

    [Theory]
    [InlineData("nonsense", "1")]
    [InlineData("limits:nonsense", "1")]
    [InlineData("destinations:host-b:nonsense", "1")]
    [InlineData("policy:0:nonsense", "1")]
    [InlineData("redirection:0", "forward")]
    [InlineData("role", "router")]
    [InlineData("listen", "10.0.0.2")]
    [InlineData("listen", "0.0.0.0:7300")]
    [InlineData("redirection", "magic")]
    [InlineData("unaware", "perhaps")]
    [InlineData("limits:frozen", "0")]
    [InlineData("limits:clients", "many")]
    [InlineData("limits:queue-bytes", "-1")]
    [InlineData("bounds:hold", "5")]
    [InlineData("bounds:hold", "soon")]
    [InlineData("bounds:answer", "1ms")]
    [InlineData("bounds:hold-bytes", "1")]
    [InlineData("bounds:resolve-longest", "1ms")]
    [InlineData("bounds:compare-forwarded", "1ms")]
    [InlineData("in-doubt:abandon-after", "never")]
    [InlineData("metrics:listen", "9100")]
    [InlineData("metrics:otlp", "ftp://10.0.0.9")]
    [InlineData("log-level", "loud")]
    [InlineData("destinations:host-b:address", "host-b")]
    [InlineData("destinations:host-b:packets", "host-b")]
    [InlineData("destinations:host-b:address", "")]
    [InlineData("policy:0:origin", "two words")]
    [InlineData("policy:0:addresses", "10.0.0.0/99")]
    [InlineData("policy:0:ports", "http")]
    public void A_key_that_is_unknown_or_has_a_bad_value_is_named(string key, string value)
    {
        JsonObject configuration = Good();
        Set(configuration, key, value);
        Assert.Contains(key, Read(configuration), StringComparison.Ordinal);
    }

    [Fact]
    public void An_empty_policy_is_one()
    {
        JsonObject configuration = Good();
        configuration["policy"] = new JsonArray();
        File.WriteAllText(_file, configuration.ToJsonString());
        Assert.Equal("host-a", AgentConfiguration.Read(_file).Name);
    }

    [Theory]
    [InlineData("redirection", "gateway", "redirectors: ")]
    [InlineData("redirection", "peer-route", "redirectors: ")]
    [InlineData("redirection", "hook", "hook:command: ")]
    [InlineData("role", "gateway", "gateway:services: ")]
    [InlineData("role", "peer-route", "peer-route:hosts: ")]
    [InlineData("gateway:add-addresses", "true", "gateway: ")]
    [InlineData("peer-route:hosts:host-a:next-hops", "10.0.0.2", "peer-route: ")]
    [InlineData("redirectors:gw:address", "10.0.0.9:7300", "redirectors: ")]
    [InlineData("hook:command", "/bin/true", "hook:command: ")]
    public void What_a_redirection_lacks_or_does_not_use_is_named(string key, string value, string named)
    {
        JsonObject configuration = Good();
        Set(configuration, key, value);
        Assert.StartsWith(named, Read(configuration), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("redirectors:gw:address", "gw")]
    [InlineData("gateway:services:0:addresses", "10.0.0.0/24")]
    [InlineData("gateway:services:0:ports", "http")]
    [InlineData("gateway:backends:host-a:address", "host-a")]
    [InlineData("gateway:backends:host-a:packets", "host-a")]
    [InlineData("gateway:backends:host-a:draining", "soon")]
    [InlineData("gateway:connections", "1")]
    [InlineData("gateway:nonsense", "1")]
    [InlineData("peer-route:hosts:host-a:next-hops", "host-a")]
    [InlineData("peer-route:hosts:host-a:addresses", "10.0.0.0/99")]
    [InlineData("hook:command", "true")]
    [InlineData("hook:command", "/bin/there-is-none")]
    [InlineData("hook:timeout", "soon")]
    public void A_bad_value_of_a_redirection_is_named(string key, string value)
    {
        JsonObject configuration = GoodFor(key);
        Set(configuration, key, value);
        Assert.Contains(key, Read(configuration), StringComparison.Ordinal);
    }

    [Fact]
    public void An_agent_that_is_its_own_destination_is_named()
    {
        JsonObject configuration = Good();
        Set(configuration, "destinations:host-a:address", "10.0.0.2:7300");
        Assert.StartsWith("destinations:host-a: ", Read(configuration), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{ \"name\": \"host-a\"")]
    [InlineData("{ \"name\": \"host-a\", }x")]
    [InlineData("[]")]
    [InlineData("")]
    public void What_is_no_JSON_is_said_with_the_files_name(string text)
    {
        File.WriteAllText(_file, text);
        ConfigurationException fault = Assert.Throws<ConfigurationException>(() => AgentConfiguration.Read(_file));
        Assert.StartsWith(_file, fault.Message, StringComparison.Ordinal);
        Assert.Contains("not a JSON object", fault.Message, StringComparison.Ordinal);
    }

    public void Dispose() => File.Delete(_file);

    private static string Print()
    {
        StringBuilder table = new();
        foreach (ConfigurationKey key in AgentKeys.All)
        {
            string otherwise = key.Default.Length == 0 ? "must be there"
                : key.Default == ConfigurationKey.None || key.Default.Contains(' ', StringComparison.Ordinal) ? key.Default : $"`{key.Default}`";
            table.Append($"| `{key.Name}` | {otherwise} | {key.Meaning.Replace("*", "`*`", StringComparison.Ordinal)} | {key.Danger} |\n");
        }

        return table.ToString();
    }

    private static JsonObject Good() => new()
    {
        ["name"] = "host-a",
        ["interface"] = "eth0",
        ["listen"] = "10.0.0.2:7300",
        ["certificate"] = new JsonObject { ["file"] = "a.pem", ["key"] = "a.key", ["authority"] = "authority.pem" },
        ["destinations"] = new JsonObject { ["host-b"] = new JsonObject { ["address"] = "10.0.0.3:7300" } },
        ["policy"] = new JsonArray(new JsonObject
        {
            ["origin"] = "host-b", ["applications"] = new JsonArray("*"), ["addresses"] = new JsonArray("*"), ["ports"] = new JsonArray("*"),
        }),
        ["redirection"] = "takeover",
    };

    // One that has such a key.
    private static JsonObject GoodFor(string key)
    {
        JsonObject configuration = Good();
        switch (key.Split(':')[0])
        {
            case "gateway":
                configuration.Remove("destinations");
                configuration["role"] = "gateway";
                configuration["gateway"] = new JsonObject
                {
                    ["services"] = new JsonArray(new JsonObject { ["addresses"] = new JsonArray("10.0.0.100"), ["ports"] = new JsonArray("80") }),
                    ["backends"] = new JsonObject { ["host-a"] = new JsonObject { ["address"] = "10.0.0.2:7300", ["packets"] = new JsonArray("10.0.0.2") } },
                };
                break;
            case "peer-route":
                configuration.Remove("destinations");
                configuration["role"] = "peer-route";
                configuration["peer-route"] = new JsonObject
                {
                    ["hosts"] = new JsonObject { ["host-a"] = new JsonObject { ["next-hops"] = new JsonArray("10.0.0.2"), ["addresses"] = new JsonArray("10.0.0.100") } },
                };
                break;
            case "redirectors":
                configuration["redirection"] = "gateway";
                configuration["redirectors"] = new JsonObject { ["gw"] = new JsonObject { ["address"] = "10.0.0.9:7300" } };
                break;
            case "hook":
                configuration["redirection"] = "hook";
                configuration["hook"] = new JsonObject { ["command"] = new JsonArray("/bin/true") };
                break;
            default:
                break;
        }

        return configuration;
    }

    private static string Example(string key) => key.Replace("destinations:*", "destinations:host-b", StringComparison.Ordinal).Replace("policy:*", "policy:0", StringComparison.Ordinal)
        .Replace("services:*", "services:0", StringComparison.Ordinal).Replace("backends:*", "backends:host-a", StringComparison.Ordinal)
        .Replace("hosts:*", "hosts:host-a", StringComparison.Ordinal)
        .Replace("redirectors:*", "redirectors:gw", StringComparison.Ordinal);

    private static void Set(JsonObject configuration, string key, string value)
    {
        string[] parts = key.Split(':');
        JsonNode node = configuration;
        foreach (string part in parts[..^1])
        {
            if (node is JsonObject && node[part] is not (JsonObject or JsonArray))
                node[part] = new JsonObject();
            node = Inside(node, part);
        }

        node[parts[^1]] = value;
    }

    private static JsonNode Inside(JsonNode node, string part) => (node is JsonArray list ? list[int.Parse(part, CultureInfo.InvariantCulture)] : node[part])!;

    // What is wrong with it.
    private string Read(JsonObject configuration)
    {
        File.WriteAllText(_file, configuration.ToJsonString());
        return Assert.Throws<ConfigurationException>(() => AgentConfiguration.Read(_file)).Message;
    }

    private object?[] Values(JsonObject configuration)
    {
        File.WriteAllText(_file, configuration.ToJsonString());
        AgentConfiguration read = AgentConfiguration.Read(_file);
        return
        [
            read.Redirection, read.LocalSocket, read.ApplicationsGroup, read.OperatorsGroup, read.JournalDirectory, read.TakesUnaware, read.AbandonAfter,
            read.MaxFrozen, read.MaxClients, read.Bounds, read.LogLevel, read.GatewayRole?.AddsAddresses, read.GatewayRole?.Capacity,
            read.GatewayRole?.Backends[0].IsDraining, read.HookTime,
        ];
    }
}
