using Tcpcp.Agent.Redirection;
using Tcpcp.Linux.Diagnostics;

namespace Tcpcp.Agent.Hosting;

/// <summary>Makes the redirection by third parties that a host's configuration asks for.</summary>
internal static class ConfiguredRedirection
{
    /// <param name="sockets">Of the host.</param>
    /// <param name="said">Hears what a hook says.</param>
    public static AskedRedirection New(AgentConfiguration configuration, SocketDiagnostics sockets, Action<string> said)
    {
        OtherHost own = new(configuration.Name, [configuration.Listen.Address]);
        string name = configuration.Redirection;
        TimeSpan limit = configuration.Bounds.AnswerTime;
        return name switch
        {
            AgentConfiguration.Hook => new AskedRedirection(name, findAddressObstacle: null, configuration.HookTime)
            {
                Own = own, Redirectors = [new HookRedirector(configuration.HookCommand, said)],
            },
            AgentConfiguration.PeerRoute => new AskedRedirection(name, connections => SharedAddress.FindObstacle(sockets, connections), limit) { Own = own },
            _ => new AskedRedirection(name, findAddressObstacle: null, limit) { Own = own, HasEntries = true },
        };
    }
}
