using System.Net;
using Google.Protobuf;

namespace Tcpcp.Core;

/// <summary>The protobuf form of addresses and four-tuples.</summary>
internal static class EndPointWire
{
    public static Wire.EndPoint ToMessage(IPEndPoint endPoint) => new()
    {
        Address = ByteString.CopyFrom(endPoint.Address.GetAddressBytes()),
        Port = (uint)endPoint.Port,
    };

    public static Wire.FourTuple ToMessage(FourTuple connection) => new()
    {
        Local = ToMessage(connection.Local),
        Peer = ToMessage(connection.Peer),
    };

    /// <exception cref="InvalidSnapshotException">Neither 4 nor 16 bytes, or a port above 65535.</exception>
    public static IPEndPoint FromMessage(Wire.EndPoint? message)
    {
        if (message is null || message.Port is 0 or > ushort.MaxValue)
            throw new InvalidSnapshotException("An end of the connection lacks its port.");
        return new IPEndPoint(AddressFrom(message.Address), (int)message.Port);
    }

    /// <exception cref="InvalidSnapshotException">An end is missing, or they are of different families.</exception>
    public static FourTuple FromMessage(Wire.FourTuple message)
    {
        IPEndPoint local = FromMessage(message.Local);
        IPEndPoint peer = FromMessage(message.Peer);
        return local.AddressFamily == peer.AddressFamily
            ? new FourTuple(local, peer)
            : throw new InvalidSnapshotException("A connection has ends of different address families.");
    }

    /// <summary>A v4-mapped address becomes an IPv4 address, as it is on the wire.</summary>
    public static IPAddress AddressFrom(ByteString bytes)
    {
        if (bytes.Length is not (4 or 16))
            throw new InvalidSnapshotException($"An address has {bytes.Length} bytes; it must have 4 or 16.");
        IPAddress address = new(bytes.Span);
        return address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
    }
}
