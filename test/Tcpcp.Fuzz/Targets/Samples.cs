using System.Net;
using Google.Protobuf;
using Tcpcp.Core;
using Tcpcp.Core.Wire;
using FourTuple = Tcpcp.Core.FourTuple;

namespace Tcpcp.Fuzz.Targets;

/// <summary>Good values that inputs are made of.</summary>
internal static class Samples
{
    public static IReadOnlyList<FourTuple> Connections { get; } =
        [FourTuple.Parse("192.0.2.1:80-192.0.2.9:51514"), FourTuple.Parse("[2001:db8::1]:80-[2001:db8::9]:51514"), FourTuple.Parse("[fe80::1%7]:80-[fe80::9%7]:51514")];

    public static ByteString Id { get; } = ByteString.CopyFrom(new Guid("00112233-4455-6677-8899-aabbccddeeff").ToByteArray());

    public static Ticket Ticket => new() { Incarnation = Id, Number = 7 };

    public static Core.Wire.FourTuple Tuple => EndPointWire.ToMessage(Connections[0]);

    public static IEnumerable<Core.Wire.ConnectionSnapshot> Snapshots()
    {
        foreach (FourTuple connection in Connections)
            yield return SnapshotWire.ToMessage(Snapshot(connection));
        Core.Wire.ConnectionSnapshot waiting = SnapshotWire.ToMessage(Snapshot(Connections[0]));
        (waiting.State, waiting.Receive.FinReceived, waiting.Receive.Nxt) = (Core.Wire.TcpState.CloseWait, true, waiting.Receive.Nxt + 1);
        waiting.Window.RcvWup = waiting.Receive.Nxt;
        yield return waiting;
        Core.Wire.ConnectionSnapshot ended = SnapshotWire.ToMessage(Snapshot(Connections[1]));
        (ended.State, ended.Send.FinWritten, ended.Send.WriteSeq) = (Core.Wire.TcpState.FinWait1, true, ended.Send.WriteSeq + 1);
        ended.ForwardedBy = ByteString.CopyFrom(IPAddress.Parse("192.0.2.5").GetAddressBytes());
        yield return ended;
    }

    private static Core.ConnectionSnapshot Snapshot(FourTuple connection) => new()
    {
        Connection = connection,
        State = Core.TcpState.Established,
        SndUna = new SequenceNumber(uint.MaxValue - 1),
        SndNxt = new SequenceNumber(1),
        WriteSeq = new SequenceNumber(3),
        Sent = "abc"u8.ToArray(),
        Unsent = "de"u8.ToArray(),
        RcvNxt = new SequenceNumber(7000),
        Unread = "xyz"u8.ToArray(),
        Window = new RepairWindow(new SequenceNumber(6990), 64240, 65535, 29200, new SequenceNumber(6997)),
        Negotiated = new Core.NegotiatedOptions(1460, 1448, WindowScaling: true, 7, 9, Sack: true, Timestamps: true, Ecn: false),
        Timestamps = new TimestampClock(123456, Microseconds: false, Ahead: TimeSpan.FromMilliseconds(3)),
        Options = new TcpSocketOptions
        {
            KeepAlive = true,
            KeepAliveTime = TimeSpan.FromHours(2),
            KeepAliveInterval = TimeSpan.FromSeconds(75),
            KeepAliveProbes = 9,
            MaxPacingRate = ulong.MaxValue,
            TimeToLive = 64,
            Linger = TimeSpan.FromSeconds(5),
            SendBufferBytes = 87040,
            ReceiveBufferBytes = 131072,
        },
        Congestion = new CongestionState("cubic", 10, int.MaxValue, TimeSpan.FromMilliseconds(20), TimeSpan.FromMilliseconds(19), 1, 2, Core.CongestionStart.Keep),
        Epoch = 3,
    };
}
