namespace Tcpcp.Relay.Sessions;

/// <summary>Whoever counts a session; told on its loop's thread.</summary>
internal interface ISessionOwner
{
    /// <summary>Bytes have reached the kernels of the server and of the client.</summary>
    void Moved(Session session, long toServer, long toClient);

    /// <summary>Both connections are closed here. Told once.</summary>
    void Ended(Session session, SessionEnd end);
}
