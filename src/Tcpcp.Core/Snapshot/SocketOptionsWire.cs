namespace Tcpcp.Core;

/// <summary>The protobuf form of the socket options.</summary>
internal static class SocketOptionsWire
{
    public static Wire.SocketOptions ToMessage(TcpSocketOptions options) => new()
    {
        NoDelay = options.NoDelay,
        Cork = options.Cork,
        KeepAlive = options.KeepAlive,
        KeepAliveTimeS = (uint)options.KeepAliveTime.TotalSeconds,
        KeepAliveIntervalS = (uint)options.KeepAliveInterval.TotalSeconds,
        KeepAliveProbes = (uint)options.KeepAliveProbes,
        UserTimeoutMs = (uint)options.UserTimeout.TotalMilliseconds,
        Linger = options.Linger is not null,
        LingerS = (uint)(options.Linger?.TotalSeconds ?? 0),
        NotSentLowWater = options.NotSentLowWater,
        MaxPacingRate = options.MaxPacingRate,
        Priority = unchecked((uint)options.Priority),
        Mark = options.Mark,
        TypeOfService = options.TypeOfService,
        TimeToLive = options.TimeToLive ?? -1,
        SendBuffer = (uint)options.SendBufferBytes,
        ReceiveBuffer = (uint)options.ReceiveBufferBytes,
        SendBufferLocked = options.SendBufferLocked,
        ReceiveBufferLocked = options.ReceiveBufferLocked,
        ReuseAddress = options.ReuseAddress,
        ReusePort = options.ReusePort,
        OutOfBandInline = options.OutOfBandInline,
        V6Only = options.V6Only,
    };

    public static TcpSocketOptions FromMessage(Wire.SocketOptions message) => new()
    {
        NoDelay = message.NoDelay,
        Cork = message.Cork,
        KeepAlive = message.KeepAlive,
        KeepAliveTime = TimeSpan.FromSeconds(message.KeepAliveTimeS),
        KeepAliveInterval = TimeSpan.FromSeconds(message.KeepAliveIntervalS),
        KeepAliveProbes = SnapshotWire.IntFrom(message.KeepAliveProbes),
        UserTimeout = TimeSpan.FromMilliseconds(message.UserTimeoutMs),
        Linger = message.Linger ? TimeSpan.FromSeconds(message.LingerS) : null,
        NotSentLowWater = message.NotSentLowWater,
        MaxPacingRate = message.MaxPacingRate,
        Priority = unchecked((int)message.Priority), // 0x80010001 is class 8001:1 of a queueing discipline
        Mark = message.Mark,
        TypeOfService = (byte)message.TypeOfService,
        TimeToLive = message.TimeToLive == -1 ? null : message.TimeToLive,
        SendBufferBytes = SnapshotWire.IntFrom(message.SendBuffer),
        ReceiveBufferBytes = SnapshotWire.IntFrom(message.ReceiveBuffer),
        SendBufferLocked = message.SendBufferLocked,
        ReceiveBufferLocked = message.ReceiveBufferLocked,
        ReuseAddress = message.ReuseAddress,
        ReusePort = message.ReusePort,
        OutOfBandInline = message.OutOfBandInline,
        V6Only = message.V6Only,
    };
}
