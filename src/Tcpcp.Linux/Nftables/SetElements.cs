using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Tcpcp.Core;
using Tcpcp.Linux.Netlink;

namespace Tcpcp.Linux.Nftables;

/// <summary>A set of four-tuples in an nftables table: its key is local address, local port, peer's address, peer's port.</summary>
/// <param name="family">NFPROTO_INET or NFPROTO_NETDEV.</param>
/// <param name="table">Name of the table.</param>
/// <param name="name">Name of the set without the 4 or 6 that stands for the address family.</param>
[KernelHeader("linux/netfilter.h")]
internal sealed class FourTupleSet(byte family, string table, string name)
{
    public const byte NFPROTO_INET = 1; // linux/netfilter.h
    public const byte NFPROTO_NETDEV = 5;

    private readonly string _ipv4Name = name + '4';
    private readonly string _ipv6Name = name + '6';

    public byte Family => family;

    public string Table => table;

    public string NameFor(FourTuple connection) => NameFor(connection.IsIPv6);

    public string NameFor(bool ipv6) => ipv6 ? _ipv6Name : _ipv4Name;

    /// <summary>The finished messages that add or remove an element, by operation and address family; made when they are first needed.</summary>
    internal ElementChange?[] Changes { get; } = new ElementChange?[4];
}

/// <summary>A transaction that changes one element: only its key and the sequence numbers are still to be written.</summary>
/// <param name="Messages">As they are sent.</param>
/// <param name="KeyAt">Where the key is.</param>
internal sealed record ElementChange(byte[] Messages, int KeyAt);

/// <summary>
/// Adds and removes set elements by raw nfnetlink: 5 to 19 us, however many elements there are. The sets are made by
/// <see cref="LibNftables"/>. In the network namespace of the thread that opened it.
/// </summary>
[KernelHeader("linux/netlink.h", "linux/netfilter/nfnetlink.h", "linux/netfilter/nf_tables.h", "errno.h")]
internal sealed class SetElements : IDisposable
{
    private const ushort NFNL_MSG_BATCH_BEGIN = 0x10; // linux/netfilter/nfnetlink.h
    private const ushort NFNL_MSG_BATCH_END = 0x11;
    private const ushort NFNL_SUBSYS_NFTABLES = 10;
    private const ushort NFT_MSG_GETTABLE = 1;
    private const ushort NFT_MSG_DELTABLE = 2;
    private const ushort NFTA_TABLE_NAME = 1;
    private const ushort NFT_MSG_NEWSETELEM = 12; // linux/netfilter/nf_tables.h
    private const ushort NFT_MSG_GETSETELEM = 13;
    private const ushort NFT_MSG_DELSETELEM = 14;
    private const ushort NFTA_SET_ELEM_LIST_TABLE = 1;
    private const ushort NFTA_SET_ELEM_LIST_SET = 2;
    private const ushort NFTA_SET_ELEM_LIST_ELEMENTS = 3;
    private const ushort NFTA_LIST_ELEM = 1;
    private const ushort NFTA_SET_ELEM_KEY = 1;
    private const ushort NFTA_SET_ELEM_DATA = 2;
    private const ushort NFTA_DATA_VALUE = 1;
    private const ushort NFT_MSG_GETGEN = 16;
    private const ushort NFTA_GEN_ID = 1;
    private const ushort NFNL_BATCH_GENID = 1; // linux/netfilter/nfnetlink.h
    private const int ERESTART = 85; // asm-generic/errno.h: the ruleset has another number
    private const int GenericHeaderBytes = 4;

    private readonly NetlinkSocket _socket = NetlinkSocket.Open(NetlinkSocket.NETLINK_NETFILTER);
    private readonly NetlinkMessage _change = new(); // used again and again: a change allocates nothing
    private readonly Lock _lock = new();

    public void Dispose() => _socket.Dispose();

    /// <summary>Adds a connection; it takes effect before this returns.</summary>
    /// <returns>False if it was there already.</returns>
    public bool Add(FourTupleSet set, FourTuple connection)
    {
        NetlinkOutcome outcome = Change(NFT_MSG_NEWSETELEM, NetlinkFlags.Ack | NetlinkFlags.Create | NetlinkFlags.Exclusive, set, connection);
        if (outcome.Succeeded)
            return true;
        if (outcome.Errno != Errno.EEXIST)
            outcome.ThrowIfFailed("NFT_MSG_NEWSETELEM", $"{set.Table} {set.NameFor(connection)} {connection}");
        return false;
    }

    /// <summary>Removes a connection.</summary>
    /// <returns>False if it was not there, or the table is gone.</returns>
    public bool Remove(FourTupleSet set, FourTuple connection)
    {
        NetlinkOutcome outcome = Change(NFT_MSG_DELSETELEM, NetlinkFlags.Ack, set, connection);
        if (outcome.Succeeded)
            return true;
        if (outcome.Errno != Errno.ENOENT)
            outcome.ThrowIfFailed("NFT_MSG_DELSETELEM", $"{set.Table} {set.NameFor(connection)} {connection}");
        return false;
    }

    /// <summary>What a map of four-tuples has for a connection: 32 bits of a packet's header, so in network byte order.</summary>
    /// <returns>Null if it has nothing, or there is no such map.</returns>
    public uint? TryGetValue(FourTupleSet map, FourTuple connection)
    {
        NetlinkMessage message = new NetlinkMessage().Begin(
            NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETSETELEM, NetlinkFlags.Ack, new GenericHeader(map.Family, 0, 0));
        List<NetlinkReply> replies = [];
        NetlinkOutcome outcome = _socket.TryTransact(Element(message, map, connection).End(), replies);
        if (outcome.Errno == Errno.ENOENT)
            return null;
        outcome.ThrowIfFailed("NFT_MSG_GETSETELEM", $"{map.Table} {map.NameFor(connection)} {connection}");
        ReadOnlySpan<byte> value = replies is [{ Payload.Length: > GenericHeaderBytes } reply]
            ? Find(reply.Payload.AsSpan(GenericHeaderBytes), NFTA_SET_ELEM_LIST_ELEMENTS, NFTA_LIST_ELEM, NFTA_SET_ELEM_DATA, NFTA_DATA_VALUE)
            : [];
        return value.Length == sizeof(uint) ? BinaryPrimitives.ReadUInt32BigEndian(value) : null;
    }

    /// <summary>The connections in a set, IPv4 and IPv6.</summary>
    /// <returns>Null if there is no such table.</returns>
    public IReadOnlyList<FourTuple>? List(FourTupleSet set)
    {
        List<FourTuple> connections = [];
        foreach (bool ipv6 in (bool[])[false, true])
        {
            NetlinkMessage message = new NetlinkMessage()
                .Begin(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETSETELEM, NetlinkFlags.Dump, new GenericHeader(set.Family, 0, 0))
                .String(NFTA_SET_ELEM_LIST_TABLE, set.Table).String(NFTA_SET_ELEM_LIST_SET, set.NameFor(ipv6)).End();
            try
            {
                foreach (NetlinkReply reply in _socket.Dump(message, "NFT_MSG_GETSETELEM"))
                    ReadKeys(reply.Payload.AsSpan(GenericHeaderBytes), ipv6, connections);
            }
            catch (KernelException e) when (e.Errno == Errno.ENOENT)
            {
                return null;
            }
        }

        return connections;
    }

    /// <summary>Whether there is a table.</summary>
    public bool HasTable(byte family, string table)
    {
        NetlinkOutcome outcome = _socket.TryTransact(new NetlinkMessage()
            .Begin(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE, NetlinkFlags.Ack, new GenericHeader(family, 0, 0))
            .String(NFTA_TABLE_NAME, table).End());
        if (outcome.Errno != Errno.ENOENT)
            outcome.ThrowIfFailed("NFT_MSG_GETTABLE", table);
        return outcome.Succeeded;
    }

    /// <summary>The number of the ruleset, which every change to it raises.</summary>
    public uint Generation()
    {
        List<NetlinkReply> replies = [];
        _socket.TryTransact(new NetlinkMessage()
            .Begin(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN, NetlinkFlags.Ack, new GenericHeader(0, 0, 0)).End(), replies)
            .ThrowIfFailed("NFT_MSG_GETGEN");
        return BinaryPrimitives.ReadUInt32BigEndian(Find(replies[0].Payload.AsSpan(GenericHeaderBytes), NFTA_GEN_ID));
    }

    /// <summary>Removes a table with all that is in it, unless anything in the ruleset has changed since it had that number.</summary>
    /// <returns>False if something has changed; nothing was removed.</returns>
    public bool RemoveTableIfUnchanged(byte family, string table, uint generation)
    {
        GenericHeader batch = new(0, 0, BinaryPrimitives.ReverseEndianness(NFNL_SUBSYS_NFTABLES));
        NetlinkMessage message = new NetlinkMessage().Begin(NFNL_MSG_BATCH_BEGIN, NetlinkFlags.Ack, batch)
            .U32BigEndian(NFNL_BATCH_GENID, generation).End();
        NetlinkOutcome outcome = _socket.TryTransact(DeleteTable(message, family, table).Begin(NFNL_MSG_BATCH_END, NetlinkFlags.None, batch).End());
        if (outcome.Errno == ERESTART)
            return false;
        outcome.ThrowIfFailed("NFT_MSG_DELTABLE", table);
        return true;
    }

    /// <summary>Removes a table with all that is in it; no error if it is not there.</summary>
    public void RemoveTable(byte family, string table)
    {
        GenericHeader batch = new(0, 0, BinaryPrimitives.ReverseEndianness(NFNL_SUBSYS_NFTABLES));
        NetlinkMessage message = new NetlinkMessage().Begin(NFNL_MSG_BATCH_BEGIN, NetlinkFlags.None, batch).End();
        NetlinkOutcome outcome = _socket.TryTransact(DeleteTable(message, family, table).Begin(NFNL_MSG_BATCH_END, NetlinkFlags.None, batch).End());
        if (outcome.Errno != Errno.ENOENT)
            outcome.ThrowIfFailed("NFT_MSG_DELTABLE", table);
    }

    private static NetlinkMessage DeleteTable(NetlinkMessage message, byte family, string table) => message
        .Begin(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE, NetlinkFlags.Ack, new GenericHeader(family, 0, 0))
        .String(NFTA_TABLE_NAME, table).End();

    private NetlinkOutcome Change(ushort type, NetlinkFlags flags, FourTupleSet set, FourTuple connection)
    {
        ref ElementChange? change = ref set.Changes[(type == NFT_MSG_NEWSETELEM ? 2 : 0) + (connection.IsIPv6 ? 1 : 0)];
        change ??= MakeChange(type, flags, set, connection);
        lock (_lock)
        {
            FourTupleKey.Write(_change.Repeat(change.Messages)[change.KeyAt..], connection);
            return _socket.TryTransact(_change);
        }
    }

    private static ElementChange MakeChange(ushort type, NetlinkFlags flags, FourTupleSet set, FourTuple connection)
    {
        GenericHeader batch = new(0, 0, BinaryPrimitives.ReverseEndianness(NFNL_SUBSYS_NFTABLES));
        NetlinkMessage message = new NetlinkMessage().Begin(NFNL_MSG_BATCH_BEGIN, NetlinkFlags.None, batch).End()
            .Begin((ushort)(NFNL_SUBSYS_NFTABLES << 8 | type), flags, new GenericHeader(set.Family, 0, 0));
        int afterKey = Element(message, set, connection).End().Bytes.Length; // the key is the last attribute of its message
        message.Begin(NFNL_MSG_BATCH_END, NetlinkFlags.None, batch).End();
        return new ElementChange(message.Bytes.ToArray(), afterKey - FourTupleKey.BytesOf(connection));
    }

    private static NetlinkMessage Element(NetlinkMessage message, FourTupleSet set, FourTuple connection)
    {
        Span<byte> key = stackalloc byte[FourTupleKey.BytesOf(connection)];
        FourTupleKey.Write(key, connection);
        return message.String(NFTA_SET_ELEM_LIST_TABLE, set.Table).String(NFTA_SET_ELEM_LIST_SET, set.NameFor(connection))
            .BeginNested(NFTA_SET_ELEM_LIST_ELEMENTS).BeginNested(NFTA_LIST_ELEM).BeginNested(NFTA_SET_ELEM_KEY)
            .Attribute(NFTA_DATA_VALUE, key)
            .EndNested().EndNested().EndNested();
    }

    // The value of the first attribute on a path of nested ones; empty if there is none.
    internal static ReadOnlySpan<byte> Find(ReadOnlySpan<byte> attributes, params ReadOnlySpan<ushort> path)
    {
        if (path.IsEmpty)
            return attributes;
        foreach (NetlinkAttribute attribute in new NetlinkAttributes(attributes))
        {
            if (attribute.Type == path[0])
                return Find(attribute.Value, path[1..]);
        }

        return [];
    }

    private static void ReadKeys(ReadOnlySpan<byte> attributes, bool ipv6, List<FourTuple> connections)
    {
        foreach (NetlinkAttribute element in new NetlinkAttributes(Find(attributes, NFTA_SET_ELEM_LIST_ELEMENTS)))
        {
            if (FourTupleKey.TryRead(Find(element.Value, NFTA_SET_ELEM_KEY, NFTA_DATA_VALUE), ipv6, out FourTuple connection))
                connections.Add(connection);
        }
    }

    // struct nfgenmsg
    [KernelHeader("linux/netfilter/nfnetlink.h", Structure = "struct nfgenmsg", Fields = "nfgen_family version res_id")]
    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct GenericHeader(byte Family, byte Version, ushort ResourceId);
}
