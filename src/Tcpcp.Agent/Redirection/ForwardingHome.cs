using Tcpcp.Agent.Link;
using Tcpcp.Agent.Passing;
using Tcpcp.Core;

namespace Tcpcp.Agent.Redirection;

/// <summary>What this host answers as a home. A host that asks is known by its certificate's name, and what is forwarded to it by its configured addresses.</summary>
internal sealed class ForwardingHome(ForwardingEntries entries, OriginPasses passes, IReadOnlyCollection<OtherHost> others, LinkObserver observer) : IForwardingHome
{
    public IReadOnlyList<ForwardedConnection> List(string owner, IReadOnlyCollection<FourTuple> named) =>
        Find(owner) is { } host ? entries.ListTo(host, named) : [];

    public IReadOnlyList<FourTuple> End(string owner, IReadOnlyCollection<ForwardedConnection> ended)
    {
        OtherHost host = Find(owner) ?? new OtherHost(owner, []);
        HashSet<FourTuple> open = [.. passes.Connections]; // the destination may not have restored them yet
        IReadOnlyList<FourTuple> standing = entries.End(host, ended, open.Contains);
        if (standing.Count > 0)
        {
            observer(new LinkEvent(LinkEventKind.ForwardingStands, owner, $"{owner} says that {ended.Count} connections have ended. {standing.Count} of them are forwarded still, "
                + $"to another host or by another redirection, or their pass is not settled: {standing[0]}."));
        }

        return standing;
    }

    private OtherHost? Find(string name) => others.FirstOrDefault(host => CertificateNames.AreSame(host.Name, name));
}
