using System.Reflection;

namespace Tcpcp.Agent.Hosting;

/// <summary>The version of this program.</summary>
internal static class AgentVersion
{
    public static string Current { get; } = typeof(AgentVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0";
}
