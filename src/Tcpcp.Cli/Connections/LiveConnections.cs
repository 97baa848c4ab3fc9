using Tcpcp.Linux;
using Tcpcp.Linux.Diagnostics;

namespace Tcpcp.Cli.Connections;

/// <summary>What the shell offers for CONNECTION: the connections that there are now and could be passed, in both forms.</summary>
internal static class LiveConnections
{
    public static IEnumerable<string> Names()
    {
        try
        {
            using SocketDiagnostics diagnostics = new();
            SocketOwners owners = SocketOwners.Read();
            List<string> names = [];
            foreach (ListedSocket socket in diagnostics.List())
            {
                if (PassableByState.ReasonAgainst(socket) is not null)
                    continue;
                names.Add(socket.Connection.ToString());
                names.AddRange(owners.Of(socket.Inode).Select(owner =>
                    new ConnectionArgument.Descriptor(owner.ProcessId, owner.Descriptor).ToString()));
            }

            return names;
        }
        catch (KernelException)
        {
            return []; // nothing to offer, and a completion has nowhere to complain
        }
    }
}
