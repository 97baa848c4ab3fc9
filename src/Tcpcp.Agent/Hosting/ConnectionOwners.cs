using Tcpcp.Client;
using Tcpcp.Core;
using Tcpcp.Linux.Diagnostics;

namespace Tcpcp.Agent.Hosting;

/// <summary>Who has connections of this host: registered applications, or processes that know nothing of tcpcp.</summary>
internal sealed class ConnectionOwners
{
    private readonly Dictionary<FourTuple, UnawareSocket> _unaware = [];

    private ConnectionOwners(ILookup<string, FourTuple> byApplication, IReadOnlyList<FourTuple> others) => (ByApplication, Others) = (byApplication, others);

    /// <summary>Connections of registered applications, by name.</summary>
    public ILookup<string, FourTuple> ByApplication { get; }

    /// <summary>The rest.</summary>
    public IReadOnlyList<FourTuple> Others { get; }

    /// <param name="applications">Those that are registered.</param>
    public static ConnectionOwners Of(IReadOnlyList<RegisteredApplicationStatus> applications, IReadOnlyList<FourTuple> connections)
    {
        using SocketDiagnostics sockets = new();
        SocketOwners owners = SocketOwners.Read();
        Dictionary<int, string> names = [];
        foreach (RegisteredApplicationStatus application in applications)
            names.TryAdd(application.ProcessId, application.Name);
        List<(string Name, FourTuple Connection)> owned = [];
        List<FourTuple> others = [];
        Dictionary<FourTuple, UnawareSocket> unaware = [];
        foreach (FourTuple connection in connections)
        {
            IReadOnlyList<SocketOwner> holders = sockets.Find(connection) is { } socket ? owners.Of(socket.Inode) : [];
            if (holders.Select(holder => names.GetValueOrDefault(holder.ProcessId)).FirstOrDefault(name => name is not null) is { } name)
            {
                owned.Add((name, connection));
                continue;
            }

            others.Add(connection);
            if (holders.Count > 0)
                unaware[connection] = new UnawareSocket(holders[0].ProcessId, holders[0].Descriptor);
        }

        ConnectionOwners found = new(owned.ToLookup(one => one.Name, one => one.Connection, StringComparer.Ordinal), others);
        foreach ((FourTuple connection, UnawareSocket socket) in unaware)
            found._unaware[connection] = socket;
        return found;
    }

    /// <summary>The socket of a process that knows nothing of tcpcp; null if no process has it.</summary>
    public UnawareSocket? SocketOf(FourTuple connection) => _unaware.GetValueOrDefault(connection);
}
