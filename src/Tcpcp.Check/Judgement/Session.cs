using System.Net;
using Tcpcp.Check.Packets;
using Tcpcp.Core;

namespace Tcpcp.Check.Judgement;

/// <summary>The connections of one capture: finds the one that a segment belongs to, and where another begins on the same
/// four-tuple.</summary>
internal sealed class Session
{
    private readonly JudgeOptions _options;
    private readonly UInt128 _peer;
    private readonly List<long> _handOvers = [];
    private readonly ChunkPool _pool;
    private readonly Dictionary<Key, Connection> _open = [];
    private readonly List<Connection> _all = [];
    private long _segments;
    private long _fragments;
    private long _unreadable;

    public Session(JudgeOptions options)
    {
        _options = options;
        _peer = Addresses.From(options.Peer);
        _pool = new ChunkPool(options.RetainedBytes);
        foreach (DateTimeOffset instant in options.HandOvers)
            _handOvers.Add(UnixTime.FromDateTime(instant));
    }

    public void Take(ParseOutcome outcome, in Segment segment, long packetNumber, long time)
    {
        if (outcome == ParseOutcome.NotTcp || (segment.SourceAddress != _peer && segment.DestinationAddress != _peer))
            return;
        if (outcome == ParseOutcome.Fragment)
            _fragments++;
        else if (outcome == ParseOutcome.Unreadable)
            _unreadable++;
        else if (segment.SourcePort != 0 && segment.DestinationPort != 0 && TryOrient(segment, out bool fromService))
            TakeSegment(segment, fromService, packetNumber, time);
    }

    public CaptureReport Report(long packets, long dropped)
    {
        foreach (Connection connection in _all)
            connection.Finish(dropped > 0);
        return new CaptureReport
        {
            Peer = Addresses.ToAddress(_peer),
            Packets = packets,
            Segments = _segments,
            FragmentedSegments = _fragments,
            UnreadableSegments = _unreadable,
            DroppedPackets = dropped,
            Connections = [.. _all.Select(ConnectionReport.Of)],
        };
    }

    // Which end is the peer is plain, unless both have its address (loopback).
    private bool TryOrient(in Segment segment, out bool fromService)
    {
        bool sourceIsPeer = segment.SourceAddress == _peer && (_options.PeerPort ?? segment.SourcePort) == segment.SourcePort;
        bool destinationIsPeer = segment.DestinationAddress == _peer
            && (_options.PeerPort ?? segment.DestinationPort) == segment.DestinationPort;
        fromService = destinationIsPeer;
        if (sourceIsPeer != destinationIsPeer)
            return true;
        if (!sourceIsPeer)
            return false;
        if (_open.ContainsKey(KeyOf(segment, fromService: true)))
            fromService = true;
        else if (_open.ContainsKey(KeyOf(segment, fromService: false)))
            fromService = false;
        else if (segment.Has(TcpFlags.Syn))
            fromService = segment.Has(TcpFlags.Ack);
        else
            fromService = segment.SourcePort < segment.DestinationPort;
        return true;
    }

    private void TakeSegment(in Segment segment, bool fromService, long packetNumber, long time)
    {
        _segments++;
        Key key = KeyOf(segment, fromService);
        if (!_open.TryGetValue(key, out Connection? connection))
            connection = Begin(key);
        else if (segment.Has(TcpFlags.Syn) && !segment.Has(TcpFlags.Rst) && IsForeignSyn(segment, fromService, connection))
            connection = TakeForeignSyn(segment, fromService, connection, key, packetNumber, time);
        connection?.Take(segment, fromService, packetNumber, time);
    }

    private static bool IsForeignSyn(in Segment segment, bool fromService, Connection connection)
    {
        Endpoint sender = fromService ? connection.Service : connection.Peer;
        return sender.Syn is SynFacts syn ? syn.Sequence != segment.Sequence : sender.Figures.Segments > 0;
    }

    // A SYN that is not the connection's own: the next connection, or something that has no place in an open one (RFC 9293, 3.10.7.4).
    private Connection? TakeForeignSyn(in Segment segment, bool fromService, Connection connection, Key key, long packetNumber, long time)
    {
        Endpoint other = fromService ? connection.Peer : connection.Service;
        bool isAnswer = segment.Has(TcpFlags.Ack);
        if (isAnswer && connection.StraySyn is (bool strayFromService, SynFacts stray) && strayFromService != fromService
            && segment.Acknowledgement == unchecked(stray.Sequence + 1))
        {
            Connection next = Begin(key);
            (strayFromService ? next.Service : next.Peer).Adopt(stray);
            return next;
        }
        if (connection.IsClosed || other.Figures.Segments == 0)
            return Begin(key);
        if (!isAnswer)
            connection.StraySyn = (fromService, SynFacts.Of(segment));
        if (fromService)
            connection.ReportSyn(segment, packetNumber, time);
        return null;
    }

    private Connection Begin(Key key)
    {
        FourTuple fourTuple = new(new IPEndPoint(Addresses.ToAddress(key.ServiceAddress), key.ServicePort),
            new IPEndPoint(Addresses.ToAddress(_peer), key.PeerPort));
        Connection connection = new(fourTuple, _options, _pool, _handOvers);
        _open[key] = connection;
        _all.Add(connection);
        return connection;
    }

    private static Key KeyOf(in Segment segment, bool fromService) => fromService
        ? new Key(segment.SourceAddress, segment.SourcePort, segment.DestinationPort)
        : new Key(segment.DestinationAddress, segment.DestinationPort, segment.SourcePort);

    private readonly record struct Key(UInt128 ServiceAddress, ushort ServicePort, ushort PeerPort);
}
