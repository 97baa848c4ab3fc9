namespace Tcpcp.Relay.Servers;

/// <summary>What one session takes of a server's room. Given back once.</summary>
internal sealed class ServerPlace(ServerPool pool, Server server)
{
    private int _isGivenBack;

    public ServerPool Pool => pool;

    public Server Server => server;

    public void GiveBack()
    {
        if (Interlocked.Exchange(ref _isGivenBack, 1) == 0)
            pool.GiveBack(server);
    }
}
