using Tcpcp.Core;

namespace Tcpcp.Tests.EveryConnection;

/// <summary>How much is in the queues of the end that is passed.</summary>
public enum QueueSize
{
    Empty,
    OneByte,
    Bytes64K,
    Bytes3M,
}

/// <summary>Whose window is closed.</summary>
public enum ZeroWindow
{
    None,

    /// <summary>The service does not read, and the peer has more to send.</summary>
    OfService,

    /// <summary>The peer does not read, and the service has more to send.</summary>
    OfPeer,
}

/// <summary>What the SYN exchange did not agree on.</summary>
public enum Lacking
{
    Nothing,
    Timestamps,
    Sack,
    WindowScaling,
}

/// <summary>One connection of the product: what it is like when it is passed.</summary>
public sealed record ConnectionCase(IPKind Kind, Lacking Lacking, TcpState State, QueueSize Queues, ZeroWindow Window)
{
    /// <summary>Every case that there can be: an end whose data is all acknowledged has an empty send queue, and a FIN comes after all the data.</summary>
    public static IEnumerable<ConnectionCase> All(IPKind kind, Lacking lacking) =>
        from state in (TcpState[])
        [
            TcpState.Established, TcpState.FinWait1, TcpState.FinWait2, TcpState.CloseWait, TcpState.LastAck, TcpState.Closing,
        ]
        from queues in Enum.GetValues<QueueSize>()
        from window in Enum.GetValues<ZeroWindow>()
        where !(window == ZeroWindow.OfPeer && state == TcpState.FinWait2)
        where !(window == ZeroWindow.OfService && state.HasPeersFin())
        select new ConnectionCase(kind, lacking, state, queues, window);

    /// <summary>Bytes in each queue that is not filled for its window's sake.</summary>
    public int Bytes => Queues switch
    {
        QueueSize.Empty => 0,
        QueueSize.OneByte => 1,
        QueueSize.Bytes64K => 64 << 10,
        _ => 3 << 20,
    };

    /// <summary>The service may still send when it has been passed.</summary>
    public bool ServiceSends => !State.HasOwnFin();

    /// <summary>The peer may still send.</summary>
    public bool PeerSends => !State.HasPeersFin();

    public override string ToString() => $"{Kind}, {State}, queues {Queues}, zero window {Window}, lacking {Lacking}";
}
