using System.Net;
using CsCheck;

namespace Tcpcp.Core.Tests;

/// <summary>Values that a connection can have.</summary>
internal static class Generators
{
    private const int MaxQueueBytes = 300;
    private const int MaxWindowBytes = 65535 << 14;

    private static readonly Gen<int> s_port = Gen.Int[1, 65535];

    private static readonly Gen<IPAddress> s_ipv4 = Gen.Byte.Array[4]
        .Where(bytes => bytes[0] is not (0 or 255 or (>= 224 and < 240))).Select(bytes => new IPAddress(bytes));

    private static readonly Gen<IPAddress> s_globalIPv6 = Gen.Byte.Array[15].Select(bytes => new IPAddress([0x20, .. bytes]));

    private static readonly Gen<byte[]> s_linkLocalBytes = Gen.Byte.Array[8].Select(bytes => (byte[])[0xfe, 0x80, 0, 0, 0, 0, 0, 0, .. bytes]);

    // Both link-local ends are on one interface.
    private static readonly Gen<(IPAddress Local, IPAddress Peer)> s_scopedPair =
        from one in s_linkLocalBytes
        from other in s_linkLocalBytes
        from global in s_globalIPv6
        from scope in Gen.Long[1, uint.MaxValue]
        from kind in Gen.Int[0, 2]
        select kind switch
        {
            0 => (new IPAddress(one, scope), new IPAddress(other, scope)),
            1 => (new IPAddress(one, scope), global),
            _ => (global, new IPAddress(one, scope)),
        };

    public static Gen<FourTuple> FourTuple { get; } =
        from addresses in Gen.OneOf(Gen.Select(s_ipv4, s_ipv4), Gen.Select(s_globalIPv6, s_globalIPv6), s_scopedPair)
        from localPort in s_port
        from peerPort in s_port
        where !addresses.Item1.Equals(addresses.Item2) || localPort != peerPort
        select new FourTuple(new IPEndPoint(addresses.Item1, localPort), new IPEndPoint(addresses.Item2, peerPort));

    public static Gen<SequenceNumber> SequenceNumber { get; } =
        Gen.OneOf(Gen.UInt, Gen.UInt[0, 400], Gen.UInt[uint.MaxValue - 400, uint.MaxValue]).Select(value => new SequenceNumber(value));

    /// <summary>A snapshot that the validator must accept.</summary>
    public static Gen<ConnectionSnapshot> Snapshot { get; } =
        from name in FourTuple
        from mapped in Gen.Bool
        from send in SendSpaces()
        from receive in ReceiveSpaces()
        from negotiated in NegotiatedOptions()
        from options in SocketOptions()
        from congestion in CongestionStates()
        from clock in Gen.Select(Gen.UInt, Gen.Bool, Gen.Int[0, 1_000_000], (value, microseconds, ahead) => new TimestampClock(value, microseconds, TimeSpan.FromMicroseconds(ahead)))
        from forwardedBy in Gen.OneOf(Gen.Const((IPAddress?)null), s_ipv4.Select(IPAddress? (address) => address))
        from epoch in Gen.ULong
        select send with
        {
            Connection = name,
            IsV4Mapped = mapped && !name.IsIPv6,
            RcvNxt = receive.Nxt,
            Unread = receive.Unread,
            Window = receive.Window,
            Negotiated = negotiated,
            Options = options,
            Congestion = congestion,
            Timestamps = clock,
            ForwardedBy = forwardedBy,
            Epoch = epoch,
        };

    private static Gen<byte[]> Bytes() => Gen.Byte.Array[0, MaxQueueBytes];

    private static Gen<ConnectionSnapshot> SendSpaces() =>
        from state in Gen.OneOf(
            TcpState.Established, TcpState.FinWait1, TcpState.FinWait2, TcpState.CloseWait, TcpState.LastAck, TcpState.Closing)
        from una in SequenceNumber
        from sent in Bytes()
        from unsent in Bytes()
        from finSent in Gen.Bool
        select SendSpace(state, una, state == TcpState.FinWait2 ? [] : sent, state == TcpState.FinWait2 ? [] : unsent, finSent);

    private static ConnectionSnapshot SendSpace(TcpState state, SequenceNumber una, byte[] sent, byte[] unsent, bool finSent)
    {
        bool finWritten = state is not (TcpState.Established or TcpState.CloseWait);
        int fin = finWritten && state != TcpState.FinWait2 ? 1 : 0;
        return Examples.Snapshot with
        {
            State = state,
            FinWritten = finWritten,
            FinReceived = state is TcpState.CloseWait or TcpState.LastAck or TcpState.Closing,
            SndUna = una,
            SndNxt = una + sent.Length + (finSent && unsent.Length == 0 ? fin : 0),
            WriteSeq = una + sent.Length + unsent.Length + fin,
            Sent = sent,
            Unsent = unsent,
        };
    }

    private static Gen<(SequenceNumber Nxt, byte[] Unread, RepairWindow Window)> ReceiveSpaces() =>
        from nxt in SequenceNumber
        from unread in Bytes()
        from wl1 in SequenceNumber
        from maxWindow in Gen.Int[0, MaxWindowBytes]
        from sndWnd in Gen.Int[0, maxWindow]
        from rcvWnd in Gen.Int[0, MaxWindowBytes]
        from sinceUpdate in Gen.Int[0, rcvWnd]
        select (nxt, unread, new RepairWindow(wl1, (uint)sndWnd, (uint)maxWindow, (uint)rcvWnd, nxt - sinceUpdate));

    private static Gen<NegotiatedOptions> NegotiatedOptions() =>
        from mss in Gen.Int[1, 65535]
        from sendMss in Gen.Int[1, 65535]
        from scaling in Gen.Bool
        from scales in Gen.Select(Gen.Byte[0, 14], Gen.Byte[0, 14])
        from flags in Gen.Select(Gen.Bool, Gen.Bool, Gen.Bool)
        select new NegotiatedOptions(mss, sendMss, scaling, scaling ? scales.Item1 : (byte)0, scaling ? scales.Item2 : (byte)0,
            flags.Item1, flags.Item2, flags.Item3);

    private static Gen<TcpSocketOptions> SocketOptions() =>
        from flags in Gen.Bool.Array[9]
        from times in Gen.Int[0, 32767].Array[2]
        from probes in Gen.Int[0, 127]
        from userTimeout in Gen.Int[0, int.MaxValue]
        from linger in Gen.Int[-1, int.MaxValue]
        from lowWater in Gen.UInt
        from pacing in Gen.ULong
        from priority in Gen.Int // 0x80010001 is class 8001:1 of a queueing discipline
        from mark in Gen.UInt
        from tos in Gen.Byte
        from ttl in Gen.Int[-1, 255]
        from buffers in Gen.Int[0, int.MaxValue].Array[2]
        select new TcpSocketOptions
        {
            NoDelay = flags[0],
            Cork = flags[1],
            KeepAlive = flags[2],
            KeepAliveTime = TimeSpan.FromSeconds(times[0]),
            KeepAliveInterval = TimeSpan.FromSeconds(times[1]),
            KeepAliveProbes = probes,
            UserTimeout = TimeSpan.FromMilliseconds(userTimeout),
            Linger = linger < 0 ? null : TimeSpan.FromSeconds(linger),
            NotSentLowWater = lowWater,
            MaxPacingRate = pacing,
            Priority = priority,
            Mark = mark,
            TypeOfService = tos,
            TimeToLive = ttl < 0 ? null : ttl,
            SendBufferBytes = buffers[0],
            ReceiveBufferBytes = buffers[1],
            SendBufferLocked = flags[3],
            ReceiveBufferLocked = flags[4],
            ReuseAddress = flags[5],
            ReusePort = flags[6],
            OutOfBandInline = flags[7],
            V6Only = flags[8],
        };

    private static Gen<CongestionState> CongestionStates() =>
        from algorithm in Gen.String[Gen.Char["abcdefghijklmnopqrstuvwxyzABCXYZ0123456789_-"], 0, 15]
        from segments in Gen.Int[0, int.MaxValue].Array[2]
        from microseconds in Gen.UInt.Array[2]
        from rates in Gen.ULong.Array[2]
        from start in Gen.Enum<CongestionStart>()
        select new CongestionState(algorithm, segments[0], segments[1], TimeSpan.FromMicroseconds(microseconds[0]),
            TimeSpan.FromMicroseconds(microseconds[1]), rates[0], rates[1], start);
}
