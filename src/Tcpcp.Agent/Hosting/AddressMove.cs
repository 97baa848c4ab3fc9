using System.Net;
using Tcpcp.Agent.Link;
using Tcpcp.Agent.Redirection;
using Tcpcp.Core;
using Tcpcp.Linux;
using Tcpcp.Linux.Diagnostics;
using Tcpcp.Linux.Nftables;

namespace Tcpcp.Agent.Hosting;

/// <summary>
/// A service address moves to another host. At the end of a drain to there all of its connections are there, and what forwards them is not needed any more; at its beginning they are here still. Until that
/// host has the address nothing that counts has changed: if this agent dies, or the other one does not answer, the same order may be given again.
/// </summary>
/// <remarks>
/// First new connections are stopped (their SYNs are dropped, and come again), and those are passed that were made meanwhile; then the other host adds and announces the
/// address; then this one gives it up, and forwards what still comes from neighbours that have not heard of it, until nothing comes. Connections that could not be passed stay here: the other
/// host forwards their packets to this one.
/// </remarks>
/// <param name="pass">Passes connections to that host before the address moves; null: it moves at once.</param>
internal sealed class AddressMove(AgentHost agent, Forward forward, DestinationChannel destination, IPAddress address, Func<IReadOnlyList<FourTuple>, Task>? pass)
{
    private const int Attempts = 3; // of passing one connection
    private const int MostStaying = 32_768;
    private const int Announcements = 10;

    private static readonly TimeSpan s_emptyTime = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan s_quietTime = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan s_convergence = TimeSpan.FromSeconds(5);

    private bool _isGivenUp;
    private bool _isLeft;

    private string Name => destination.Destination.Name;

    /// <summary>Moves it. What comes by neighbours that have not heard of it is forwarded until <see cref="EndAsync"/>.</summary>
    /// <returns>Whether the address has moved; and why not, or what stays.</returns>
    public async Task<(bool HasMoved, string Detail)> RunAsync(CancellationToken stop)
    {
        string staying = "";
        string? obstacle = await MoveAsync(what => staying = what, stop);
        return (obstacle is null, obstacle is null ? staying : staying.Length > 0 ? $"{obstacle} {staying}" : obstacle);
    }

    private async Task<string?> MoveAsync(Action<string> tell, CancellationToken stop)
    {
        try
        {
            string? obstacle = FindObstacle() ?? await AskAsync([], isQuestion: true, stop);
            if (obstacle is not null)
                return obstacle;
            using NewConnectionStop noNewOnes = NewConnectionStop.Begin(address);
            ListedSocket[] left = pass is null ? [.. Left()] : await EmptyAsync(pass, stop);
            if (left.Length > 0 && pass is not null)
                tell($"{left.Length} of its connections could not be passed and stay here: {string.Join(", ", left.Take(3).Select(socket => $"{socket.Connection} ({socket.State})"))}.");
            if (left.Length > MostStaying)
                return "They are too many for their packets to be sent back.";
            FourTuple[] staying = [.. left.Select(socket => socket.Connection).Distinct()];
            obstacle = FindObstacle() ?? await AskAsync(staying, isQuestion: false, stop);
            if (obstacle is not null)
                return obstacle;
            if (left.Length > 0)
            {
                // What is forwarded still goes with its connection: without the entry this host, which takes packets for the address, would answer them.
                forward.LeaveAddress(address, Name, staying);
                _isLeft = true;
                return null;
            }

            forward.GiveUpAddress(address);
            _isGivenUp = true;
            return null;
        }
        catch (OperationCanceledException)
        {
            return "The drain was stopped before its turn came.";
        }
        catch (Exception e) when (e is LinkException or KernelException or NftablesException)
        {
            return $"{e.Message} Give the order again: it is not known whether {Name} has taken the address.";
        }
    }

    private string? FindObstacle()
    {
        if (!forward.ServiceAddresses().Contains(address))
            return $"{address} is not an address of its own (/32 or /128) on {agent.Configuration.Interface}: it cannot move to another host.";
        OtherHost host = agent.Host.FindHost(Name)!;
        if (host.TunnelTo is not null)
            return $"{Name} is reached by a tunnel: an address moves on one layer 2 only.";
        FourTuple[] elsewhere = [.. forward.Entries.List().Where(one => one.Connection.Local.Address.Equals(address) && !host.Addresses.Contains(one.NextHop)).Select(one => one.Connection)];
        return elsewhere.Length == 0 ? null
            : $"The packets of {elsewhere.Length} of its connections are forwarded to another host than {Name}: {elsewhere[0]}. Pass them to {Name}, or home, first.";
    }

    private Task<string?> AskAsync(IReadOnlyList<FourTuple> staying, bool isQuestion, CancellationToken stop) => destination.TakeAddressAsync(address, Ports(), staying, isQuestion, stop);

    public IPAddress Address => address;

    /// <summary>Clients connect to it: it is not only one that programs of this host connect from.</summary>
    public bool IsService => Ports().Listened.Count > 0;

    // Where new connections come: what listens at the address, and what its connections have. What connect(2) has chosen, and nobody listens at here either, is the port of a connection that
    // a program of this host has opened.
    private AddressPorts Ports()
    {
        IPEndPoint[] listening = [.. agent.Host.Sockets.List(TcpState.Listen).Select(listener => listener.Connection.Local)];
        HashSet<int> listened = [.. listening.Select(local => local.Port)];
        (int first, int last) = OutgoingPorts.Range();
        ILookup<bool, int> used = forward.Entries.List().Select(one => one.Connection.Local).Where(local => local.Address.Equals(address)).Select(local => local.Port).Distinct()
            .Concat(Left().Select(socket => socket.Connection.Local.Port).Where(listened.Contains)).Distinct()
            .ToLookup(port => port >= first && port <= last && !listened.Contains(port));
        return new AddressPorts([.. listening.Where(local => local.Address.Equals(address)).Select(local => local.Port).Union(used[false])], [.. used[true]]);
    }

    // Connections that were made since the drain began are passed; handshakes come to an end.
    private async Task<ListedSocket[]> EmptyAsync(Func<IReadOnlyList<FourTuple>, Task> passAsync, CancellationToken stop)
    {
        Dictionary<FourTuple, int> attempts = [];
        long began = TimeProvider.System.GetTimestamp();
        while (true)
        {
            ListedSocket[] left = [.. Left()];
            if (left.Length == 0 || TimeProvider.System.GetElapsedTime(began) > s_emptyTime || left.All(socket => attempts.GetValueOrDefault(socket.Connection) > Attempts))
                return left;
            FourTuple[] ready = [.. left.Where(socket => socket.Inode != 0 && socket.State != TcpState.SynReceived).Select(socket => socket.Connection)];
            foreach (FourTuple connection in ready)
                attempts[connection] = attempts.GetValueOrDefault(connection) + 1;
            if (ready.Length > 0)
                await passAsync(ready);
            await Task.Delay(s_look, stop);
        }
    }

    // What would be cut off.
    private IEnumerable<ListedSocket> Left() => agent.Host.Sockets.List().Concat(agent.Host.Sockets.List(TcpState.SynReceived)).Where(socket =>
        socket.Connection.Local.Address.Equals(address) && socket.IsNeeded);

    /// <summary>After the move: neighbours that have missed the announcement send here for a while, then nothing does any more.</summary>
    public async Task EndAsync()
    {
        try
        {
            if (_isGivenUp)
                await ForwardTheRestAsync();
            else if (_isLeft)
                await AnnounceAgainAsync();
        }
        catch (LinkException)
        {
            // It is not announced again; the entries go with their connections.
        }
    }

    // What is passed from now on leaves no entry here, and this host would answer what still comes for it. A neighbour that has just heard of the address itself takes no announcement for a
    // second (arp locktime).
    private async Task AnnounceAgainAsync()
    {
        for (int i = 0; i < Announcements; i++)
        {
            await Task.Delay(s_quietTime);
            await AskAsync([], isQuestion: false, CancellationToken.None);
        }
    }

    private async Task ForwardTheRestAsync()
    {
        long began = TimeProvider.System.GetTimestamp();
        long before = -1;
        while (forward.CountForwarded(address) is var now && now != before)
        {
            if (TimeProvider.System.GetElapsedTime(began) > s_convergence)
                return; // the entries go with the connections
            if (before >= 0)
                await AskAsync([], isQuestion: false, CancellationToken.None); // announces it again
            before = now;
            await Task.Delay(s_quietTime);
        }

        forward.Entries.Remove([.. forward.Entries.List().Select(one => one.Connection).Where(connection => connection.Local.Address.Equals(address))]);
    }
}
