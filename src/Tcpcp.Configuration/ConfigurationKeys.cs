namespace Tcpcp.Configuration;

/// <summary>The keys that a program knows.</summary>
/// <param name="all">Every one.</param>
/// <param name="document">The page that explains them.</param>
internal sealed class ConfigurationKeys(IReadOnlyList<ConfigurationKey> all, string document)
{
    public string Document => document;

    /// <summary>The key that a name in a file stands for; null if there is none.</summary>
    public ConfigurationKey? Find(string name)
    {
        string[] parts = name.Split(':');
        return all.FirstOrDefault(key => Matches(key.Name.Split(':'), key.IsList, parts));
    }

    /// <summary>Whether there are keys inside this one.</summary>
    public bool HasSection(string name) => all.Any(key => key.Name.StartsWith(name + ":", StringComparison.OrdinalIgnoreCase));

    // A list's elements have numbers below its key.
    private static bool Matches(string[] key, bool isList, string[] parts) =>
        (parts.Length == key.Length || (isList && parts.Length == key.Length + 1 && int.TryParse(parts[^1], out _)))
        && key.Zip(parts).All(pair => pair.First == "*" || pair.First.Equals(pair.Second, StringComparison.OrdinalIgnoreCase));
}
