namespace Tcpcp.Core.Tests;

/// <summary>One valid snapshot, from which tests depart.</summary>
internal static class Examples
{
    public static ConnectionSnapshot Snapshot { get; } = new()
    {
        Connection = FourTuple.Parse("192.0.2.1:80-192.0.2.9:51514"),
        State = TcpState.Established,
        SndUna = new SequenceNumber(1000),
        SndNxt = new SequenceNumber(1003),
        WriteSeq = new SequenceNumber(1005),
        Sent = "abc"u8.ToArray(),
        Unsent = "de"u8.ToArray(),
        RcvNxt = new SequenceNumber(7000),
        Unread = "xyz"u8.ToArray(),
        Window = new RepairWindow(new SequenceNumber(6990), 64240, 65535, 29200, new SequenceNumber(6997)),
        Negotiated = new NegotiatedOptions(1460, 1448, WindowScaling: true, 7, 9, Sack: true, Timestamps: true, Ecn: false),
        Timestamps = new TimestampClock(123456, Microseconds: false, Ahead: TimeSpan.Zero),
        Options = new TcpSocketOptions
        {
            KeepAliveTime = TimeSpan.FromHours(2),
            KeepAliveInterval = TimeSpan.FromSeconds(75),
            KeepAliveProbes = 9,
            MaxPacingRate = ulong.MaxValue,
            TimeToLive = 64,
            SendBufferBytes = 87040,
            ReceiveBufferBytes = 131072,
        },
        Congestion = new CongestionState("cubic", 10, int.MaxValue, TimeSpan.FromMilliseconds(20), TimeSpan.FromMilliseconds(19), 1, 2,
            CongestionStart.Default),
    };
}
