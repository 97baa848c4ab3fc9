using System.Net;

namespace Tcpcp.Core.Tests.Compatibility;

/// <summary>The connections whose snapshots are frozen.</summary>
internal static class SampleSnapshots
{
    /// <summary>The one that is in a file too.</summary>
    public const string Saved = "close-wait";

    public static DateTimeOffset SavedAt { get; } = new(2026, 7, 1, 12, 0, 0, 123, 456, TimeSpan.Zero);

    public static IReadOnlyList<(string Name, ConnectionSnapshot Snapshot)> All { get; } =
    [
        ("ipv4", Examples.Snapshot),
        ("ipv6-link-local", Examples.Snapshot with { Connection = FourTuple.Parse("[fe80::1%7]:80-[fe80::9%7]:51514") }),
        ("v4-mapped-forwarded", Examples.Snapshot with { IsV4Mapped = true, ForwardedBy = IPAddress.Parse("192.0.2.5"), Epoch = 7 }),
        (Saved, Examples.Snapshot with
        {
            State = TcpState.CloseWait,
            FinReceived = true,
            RcvNxt = Examples.Snapshot.RcvNxt + 1,
            Unread = new byte[5000],
            Timestamps = new TimestampClock(uint.MaxValue - 1, Microseconds: true, TimeSpan.FromMilliseconds(15)),
        }),
        ("closing", Examples.Snapshot with
        {
            State = TcpState.Closing,
            FinReceived = true,
            FinWritten = true,
            SndUna = new SequenceNumber(uint.MaxValue - 1),
            SndNxt = new SequenceNumber(1),
            WriteSeq = new SequenceNumber(4),
            Congestion = Examples.Snapshot.Congestion with { Start = CongestionStart.Keep },
            Options = Examples.Snapshot.Options with { Linger = TimeSpan.FromSeconds(3), NoDelay = true, Priority = unchecked((int)0x80010001), Mark = 9, TimeToLive = null },
        }),
        ("empty-ipv6", Examples.Snapshot with
        {
            Connection = FourTuple.Parse("[2001:db8::1]:443-[2001:db8::9]:65535"),
            State = TcpState.FinWait2,
            FinWritten = true,
            SndUna = new SequenceNumber(9),
            SndNxt = new SequenceNumber(9),
            WriteSeq = new SequenceNumber(9),
            Sent = default,
            Unsent = default,
            Unread = default,
        }),
    ];
}
