namespace Tcpcp.Configuration;

/// <summary>A key of a configuration has no value that makes sense. The message names the key and says what to do.</summary>
internal sealed class ConfigurationException(string key, string message, Exception? inner = null) : Exception($"{key}: {message}", inner)
{
    public string Key => key;
}
