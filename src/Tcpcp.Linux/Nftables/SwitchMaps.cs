using System.Buffers.Binary;
using System.Net;
using System.Runtime.InteropServices;
using Tcpcp.Core;
using Tcpcp.Linux.Netlink;
using Tcpcp.Linux.Switching;

namespace Tcpcp.Linux.Nftables;

/// <summary>
/// The maps of a packet switch in a netdev table, for each family one of each kind: <c>to4</c> from four-tuples to interface and next hop, <c>hold4</c> to an interface,
/// <c>verdict4</c> to a verdict. Changed by raw nfnetlink; each element counts. In the network namespace of the thread that opened it. Not thread-safe.
/// </summary>
/// <remarks>One map of verdicts with chains to go to would do; but with each such element the kernel examines all others again.</remarks>
[KernelHeader("linux/netlink.h", "linux/netfilter.h", "linux/netfilter/nfnetlink.h", "linux/netfilter/nf_tables.h")]
internal sealed class SwitchMaps(string table) : IDisposable
{
    /// <summary>What <see cref="Change"/> takes at most: a transaction must fit the socket's buffer.</summary>
    public const int MaxChanges = 256;

    private const ushort NFNL_MSG_BATCH_BEGIN = 0x10;
    private const ushort NFNL_MSG_BATCH_END = 0x11;
    private const ushort NFNL_SUBSYS_NFTABLES = 10;
    private const ushort NFT_MSG_DELTABLE = 2;
    private const ushort NFTA_TABLE_NAME = 1;
    private const ushort NFT_MSG_NEWSETELEM = 12;
    private const ushort NFT_MSG_GETSETELEM = 13;
    private const ushort NFT_MSG_DELSETELEM = 14;
    private const ushort NFTA_SET_ELEM_LIST_TABLE = 1;
    private const ushort NFTA_SET_ELEM_LIST_SET = 2;
    private const ushort NFTA_SET_ELEM_LIST_ELEMENTS = 3;
    private const ushort NFTA_SET_ELEM_KEY = 1;
    private const ushort NFTA_SET_ELEM_DATA = 2;
    private const ushort NFTA_SET_ELEM_EXPR = 7;
    private const ushort NFTA_LIST_ELEM = 1;
    private const ushort NFTA_DATA_VALUE = 1;
    private const ushort NFTA_DATA_VERDICT = 2;
    private const ushort NFTA_VERDICT_CODE = 1;
    private const ushort NFTA_EXPR_DATA = 2;
    private const ushort NFTA_COUNTER_BYTES = 1;
    private const ushort NFTA_COUNTER_PACKETS = 2;
    private const uint NF_DROP = 0; // linux/netfilter.h
    private const int NFT_CONTINUE = -1;
    private const byte NFPROTO_NETDEV = 5;
    private const int GenericHeaderBytes = 4;
    private const int MaxTargetBytes = 20;

    private readonly NetlinkSocket _socket = NetlinkSocket.Open(NetlinkSocket.NETLINK_NETFILTER);
    private readonly NetlinkMessage _change = new(); // used again and again

    public void Dispose() => _socket.Dispose();

    /// <summary>Name of the map for a verdict.</summary>
    public static string NameFor(PacketVerdict verdict, bool ipv6) => (verdict, ipv6) switch
    {
        (PacketVerdict.Redirect, false) => "to4",
        (PacketVerdict.Redirect, true) => "to6",
        (PacketVerdict.Hold, false) => "hold4",
        (PacketVerdict.Hold, true) => "hold6",
        (_, false) => "verdict4",
        (_, true) => "verdict6",
    };

    /// <summary>In one transaction removes the elements of connections that are there, and adds others.</summary>
    /// <param name="removed">With the verdicts that they have.</param>
    /// <returns>What the kernel said; unless it succeeded nothing has changed.</returns>
    public NetlinkOutcome Change(IReadOnlyCollection<(FourTuple Connection, PacketVerdict Verdict)> removed, IReadOnlyCollection<SwitchEntry> added)
    {
        Header batch = new(0, 0, BinaryPrimitives.ReverseEndianness(NFNL_SUBSYS_NFTABLES));
        _change.Clear();
        _change.Begin(NFNL_MSG_BATCH_BEGIN, NetlinkFlags.None, batch).End();
        foreach (var map in removed.GroupBy(one => NameFor(one.Verdict, one.Connection.IsIPv6), StringComparer.Ordinal))
        {
            Begin(NFT_MSG_DELSETELEM, NetlinkFlags.Ack, map.Key);
            foreach ((FourTuple connection, _) in map)
                Key(connection).EndNested();
            _change.EndNested().End();
        }

        foreach (var map in added.GroupBy(one => NameFor(one.Target.Verdict, one.Connection.IsIPv6), StringComparer.Ordinal))
        {
            Begin(NFT_MSG_NEWSETELEM, NetlinkFlags.Ack | NetlinkFlags.Create | NetlinkFlags.Exclusive, map.Key);
            foreach (SwitchEntry entry in map)
            {
                Key(entry.Connection);
                Data(entry.Target);
                _change.EndNested();
            }

            _change.EndNested().End();
        }

        return _socket.TryTransact(_change.Begin(NFNL_MSG_BATCH_END, NetlinkFlags.None, batch).End());
    }

    /// <summary>Every element of every map.</summary>
    /// <returns>Null if there are no such maps.</returns>
    public List<SwitchStatistics>? List()
    {
        List<SwitchStatistics> entries = [];
        foreach (PacketVerdict verdict in (ReadOnlySpan<PacketVerdict>)[PacketVerdict.Redirect, PacketVerdict.Hold, PacketVerdict.Drop])
        {
            foreach (bool ipv6 in (ReadOnlySpan<bool>)[false, true])
            {
                NetlinkMessage message = new NetlinkMessage()
                    .Begin(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETSETELEM, NetlinkFlags.Dump, new Header(NFPROTO_NETDEV, 0, 0))
                    .String(NFTA_SET_ELEM_LIST_TABLE, table).String(NFTA_SET_ELEM_LIST_SET, NameFor(verdict, ipv6)).End();
                try
                {
                    foreach (NetlinkReply reply in _socket.Dump(message, "NFT_MSG_GETSETELEM"))
                        Read(reply.Payload.AsSpan(GenericHeaderBytes), verdict, ipv6, entries);
                }
                catch (KernelException e) when (e.Errno == Errno.ENOENT)
                {
                    return null;
                }
            }
        }

        return entries;
    }

    /// <summary>Removes the table with all that is in it; no error if it is not there.</summary>
    public void RemoveTable()
    {
        Header batch = new(0, 0, BinaryPrimitives.ReverseEndianness(NFNL_SUBSYS_NFTABLES));
        NetlinkOutcome outcome = _socket.TryTransact(new NetlinkMessage()
            .Begin(NFNL_MSG_BATCH_BEGIN, NetlinkFlags.None, batch).End()
            .Begin(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE, NetlinkFlags.Ack, new Header(NFPROTO_NETDEV, 0, 0)).String(NFTA_TABLE_NAME, table).End()
            .Begin(NFNL_MSG_BATCH_END, NetlinkFlags.None, batch).End());
        if (outcome.Errno != Errno.ENOENT)
            outcome.ThrowIfFailed("NFT_MSG_DELTABLE", table);
    }

    private void Begin(ushort type, NetlinkFlags flags, string map) => _change
        .Begin((ushort)(NFNL_SUBSYS_NFTABLES << 8 | type), flags, new Header(NFPROTO_NETDEV, 0, 0))
        .String(NFTA_SET_ELEM_LIST_TABLE, table).String(NFTA_SET_ELEM_LIST_SET, map).BeginNested(NFTA_SET_ELEM_LIST_ELEMENTS);

    private NetlinkMessage Key(FourTuple connection)
    {
        Span<byte> key = stackalloc byte[FourTupleKey.MaxBytes];
        return _change.BeginNested(NFTA_LIST_ELEM).BeginNested(NFTA_SET_ELEM_KEY)
            .Attribute(NFTA_DATA_VALUE, key[..FourTupleKey.Write(key, connection)]).EndNested();
    }

    private void Data(PacketTarget target)
    {
        _change.BeginNested(NFTA_SET_ELEM_DATA);
        if (target.Verdict is PacketVerdict.Pass or PacketVerdict.Drop)
        {
            _change.BeginNested(NFTA_DATA_VERDICT)
                .U32BigEndian(NFTA_VERDICT_CODE, target.Verdict == PacketVerdict.Drop ? NF_DROP : unchecked((uint)NFT_CONTINUE)).EndNested();
        }
        else
        {
            Span<byte> data = stackalloc byte[MaxTargetBytes];
            MemoryMarshal.Write(data, target.Interface);
            int length = 0;
            target.NextHop?.TryWriteBytes(data[sizeof(int)..], out length);
            _change.Attribute(NFTA_DATA_VALUE, data[..(sizeof(int) + length)]);
        }

        _change.EndNested();
    }

    private static void Read(ReadOnlySpan<byte> attributes, PacketVerdict verdict, bool ipv6, List<SwitchStatistics> entries)
    {
        foreach (NetlinkAttribute element in new NetlinkAttributes(SetElements.Find(attributes, NFTA_SET_ELEM_LIST_ELEMENTS)))
        {
            ReadOnlySpan<byte> counter = SetElements.Find(element.Value, NFTA_SET_ELEM_EXPR, NFTA_EXPR_DATA);
            if (FourTupleKey.TryRead(SetElements.Find(element.Value, NFTA_SET_ELEM_KEY, NFTA_DATA_VALUE), ipv6, out FourTuple connection)
                && ReadTarget(SetElements.Find(element.Value, NFTA_SET_ELEM_DATA), verdict) is { } target)
                entries.Add(new SwitchStatistics(new SwitchEntry(connection, target), Count(counter, NFTA_COUNTER_PACKETS), Count(counter, NFTA_COUNTER_BYTES)));
        }
    }

    private static PacketTarget? ReadTarget(ReadOnlySpan<byte> attributes, PacketVerdict verdict)
    {
        ReadOnlySpan<byte> value = SetElements.Find(attributes, NFTA_DATA_VALUE), code = SetElements.Find(attributes, NFTA_DATA_VERDICT, NFTA_VERDICT_CODE);
        return verdict switch
        {
            PacketVerdict.Redirect when value.Length > sizeof(int) => PacketTarget.Redirect(MemoryMarshal.Read<int>(value), new IPAddress(value[sizeof(int)..])),
            PacketVerdict.Hold when value.Length == sizeof(int) => PacketTarget.Hold(MemoryMarshal.Read<int>(value)),
            PacketVerdict.Drop when code.Length == sizeof(int) => BinaryPrimitives.ReadUInt32BigEndian(code) == NF_DROP ? PacketTarget.Drop : PacketTarget.Pass,
            _ => null,
        };
    }

    private static long Count(ReadOnlySpan<byte> counter, ushort what)
    {
        ReadOnlySpan<byte> value = SetElements.Find(counter, what);
        return value.Length == sizeof(long) ? BinaryPrimitives.ReadInt64BigEndian(value) : 0;
    }

    // struct nfgenmsg
    [KernelHeader("linux/netfilter/nfnetlink.h", Structure = "struct nfgenmsg", Fields = "nfgen_family version res_id")]
    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct Header(byte Family, byte Version, ushort ResourceId);
}
