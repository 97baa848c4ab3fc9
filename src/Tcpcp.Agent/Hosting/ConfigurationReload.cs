using Microsoft.Extensions.Logging;
using Tcpcp.Configuration;

namespace Tcpcp.Agent.Hosting;

/// <summary>Reads an agent's configuration again when it is told to (SIGHUP): what can change while it runs counts at once, of the rest it says that it needs a restart.</summary>
/// <param name="path">The file.</param>
/// <param name="started">With what the agent was started.</param>
/// <param name="agent">Null: it follows nothing.</param>
internal sealed class ConfigurationReload(string path, AgentConfiguration started, IReloadable? agent, ILogger log) : IDisposable
{
    private readonly SemaphoreSlim _one = new(1);
    private AgentConfiguration? _followed;

    /// <summary>A fault is in the log, and changes nothing.</summary>
    public async Task RunAsync()
    {
        await _one.WaitAsync();
        try
        {
            AgentConfiguration read = AgentConfiguration.Read(path);
            string[] waiting = [.. ChangedKeys(started, read).Where(key => !IsLive(key))];
            if (waiting.Length > 0)
                log.NeedsRestart(string.Join(", ", waiting));
            if (agent is not null && ChangedKeys(_followed ?? started, read).Any(IsLive))
            {
                await agent.ReloadAsync(read);
                _followed = read;
            }
            else
            {
                log.NothingReloaded(agent is null ? "certificate files are read again by themselves, and all else counts from the next start"
                    : $"nothing has changed of {string.Join(", ", agent.LiveKeys)}");
            }
        }
        catch (ConfigurationException e)
        {
            log.NotReloaded(e.Message);
        }
        catch (Exception e)
        {
            log.Failed("The configuration could not be followed.", e);
        }
        finally
        {
            _one.Release();
        }
    }

    public void Dispose() => _one.Dispose();

    private bool IsLive(string key) => agent is not null && agent.LiveKeys.Any(live => key.StartsWith(live + ":", StringComparison.OrdinalIgnoreCase));

    private static IEnumerable<string> ChangedKeys(AgentConfiguration before, AgentConfiguration now) => before.Values.Keys.Union(now.Values.Keys, StringComparer.OrdinalIgnoreCase)
        .Where(key => before.Values.GetValueOrDefault(key) != now.Values.GetValueOrDefault(key)).Order(StringComparer.Ordinal);
}
