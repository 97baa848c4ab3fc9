using Microsoft.Extensions.Configuration;

namespace Tcpcp.Configuration;

/// <summary>A configuration as its operator writes it: one JSON object.</summary>
internal static class ConfigurationFile
{
    /// <param name="read">Makes of it what is wanted.</param>
    /// <exception cref="ConfigurationException">It is not there, or no JSON.</exception>
    public static T Read<T>(string path, Func<IConfiguration, T> read)
    {
        try
        {
            using FileStream file = File.OpenRead(path);
            return read(new ConfigurationBuilder().AddJsonStream(file).Build());
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ConfigurationException(path, $"the file cannot be read: {e.Message}", e);
        }
        catch (Exception e) when (e is FormatException or InvalidDataException or System.Text.Json.JsonException)
        {
            throw new ConfigurationException(path, $"the file is not a JSON object: {e.InnerException?.Message ?? e.Message}", e);
        }
    }
}
