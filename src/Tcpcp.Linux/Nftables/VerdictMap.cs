using System.Buffers.Binary;
using System.Net;
using System.Runtime.InteropServices;
using Tcpcp.Core;
using Tcpcp.Linux.Netlink;
using Tcpcp.Linux.Switching;

namespace Tcpcp.Linux.Nftables;

/// <summary>
/// Two maps of a netdev table, <c>connections4</c> and <c>connections6</c>, from four-tuples to verdicts, changed by raw nfnetlink; each element counts. A verdict that
/// sends packets away is a chain, whose name says where to; the chain is made with the first element that needs it. In the network namespace of the thread that
/// opened it. Not thread-safe.
/// </summary>
[KernelHeader("linux/netlink.h", "linux/netfilter.h", "linux/netfilter/nfnetlink.h", "linux/netfilter/nf_tables.h")]
internal sealed class VerdictMap(string table) : IDisposable
{
    /// <summary>Of both maps without the family's number.</summary>
    public const string Name = "connections";

    private const ushort NFNL_MSG_BATCH_BEGIN = 0x10;
    private const ushort NFNL_MSG_BATCH_END = 0x11;
    private const ushort NFNL_SUBSYS_NFTABLES = 10;
    private const ushort NFT_MSG_DELTABLE = 2;
    private const ushort NFTA_TABLE_NAME = 1;
    private const ushort NFT_MSG_NEWCHAIN = 3;
    private const ushort NFT_MSG_NEWRULE = 6;
    private const ushort NFT_MSG_DELRULE = 8;
    private const ushort NFT_MSG_NEWSETELEM = 12;
    private const ushort NFT_MSG_GETSETELEM = 13;
    private const ushort NFT_MSG_DELSETELEM = 14;
    private const ushort NFTA_CHAIN_TABLE = 1;
    private const ushort NFTA_CHAIN_NAME = 3;
    private const ushort NFTA_RULE_TABLE = 1;
    private const ushort NFTA_RULE_CHAIN = 2;
    private const ushort NFTA_RULE_EXPRESSIONS = 4;
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
    private const ushort NFTA_VERDICT_CHAIN = 2;
    private const ushort NFTA_EXPR_NAME = 1;
    private const ushort NFTA_EXPR_DATA = 2;
    private const ushort NFTA_COUNTER_BYTES = 1;
    private const ushort NFTA_COUNTER_PACKETS = 2;
    private const ushort NFTA_IMMEDIATE_DREG = 1;
    private const ushort NFTA_IMMEDIATE_DATA = 2;
    private const ushort NFTA_FWD_SREG_DEV = 1;
    private const ushort NFTA_FWD_SREG_ADDR = 2;
    private const ushort NFTA_FWD_NFPROTO = 3;
    private const uint NFT_REG_1 = 1;
    private const uint NFT_REG_2 = 2;
    private const int NF_DROP = 0; // linux/netfilter.h
    private const int NFT_CONTINUE = -1;
    private const int NFT_GOTO = -4;
    private const byte NFPROTO_IPV4 = 2;
    private const byte NFPROTO_NETDEV = 5;
    private const byte NFPROTO_IPV6 = 10;
    private const int GenericHeaderBytes = 4;

    private readonly NetlinkSocket _socket = NetlinkSocket.Open(NetlinkSocket.NETLINK_NETFILTER);
    private readonly NetlinkMessage _change = new(); // used again and again
    private readonly HashSet<PacketTarget> _chains = [];

    /// <summary>What <see cref="Change"/> takes at most: a transaction must fit the socket's buffer.</summary>
    public const int MaxChanges = 256;

    public void Dispose() => _socket.Dispose();

    /// <summary>In one transaction removes the elements of connections that are there, and adds others.</summary>
    /// <returns>What the kernel said; unless it succeeded nothing has changed.</returns>
    public NetlinkOutcome Change(IReadOnlyCollection<FourTuple> removed, IReadOnlyCollection<SwitchEntry> added)
    {
        Header batch = new(0, 0, BinaryPrimitives.ReverseEndianness(NFNL_SUBSYS_NFTABLES));
        _change.Clear();
        _change.Begin(NFNL_MSG_BATCH_BEGIN, NetlinkFlags.None, batch).End();
        PacketTarget[] fresh = [.. added.Select(entry => entry.Target).Where(target => target.Interface != 0 && !_chains.Contains(target)).Distinct()];
        foreach (PacketTarget target in fresh)
            MakeChain(target);
        foreach (bool ipv6 in (ReadOnlySpan<bool>)[false, true])
        {
            Elements(NFT_MSG_DELSETELEM, NetlinkFlags.None, ipv6, removed, connection => connection, _ => null);
            Elements(NFT_MSG_NEWSETELEM, NetlinkFlags.Create | NetlinkFlags.Exclusive, ipv6, added, entry => entry.Connection, entry => entry.Target);
        }

        NetlinkOutcome outcome = _socket.TryTransact(_change.Begin(NFNL_MSG_BATCH_END, NetlinkFlags.None, batch).End());
        if (outcome.Succeeded)
            _chains.UnionWith(fresh);
        return outcome;
    }

    /// <summary>Every element.</summary>
    /// <returns>Null if there are no such maps.</returns>
    public List<SwitchStatistics>? List()
    {
        List<SwitchStatistics> entries = [];
        foreach (bool ipv6 in (ReadOnlySpan<bool>)[false, true])
        {
            NetlinkMessage message = new NetlinkMessage()
                .Begin(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETSETELEM, NetlinkFlags.Dump, new Header(NFPROTO_NETDEV, 0, 0))
                .String(NFTA_SET_ELEM_LIST_TABLE, table).String(NFTA_SET_ELEM_LIST_SET, NameFor(ipv6)).End();
            try
            {
                foreach (NetlinkReply reply in _socket.Dump(message, "NFT_MSG_GETSETELEM"))
                    Read(reply.Payload.AsSpan(GenericHeaderBytes), ipv6, entries);
            }
            catch (KernelException e) when (e.Errno == Errno.ENOENT)
            {
                return null;
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

    private static string NameFor(bool ipv6) => ipv6 ? Name + '6' : Name + '4';

    // Elements of one family; the last message of all asks for the acknowledgement.
    private void Elements<T>(ushort type, NetlinkFlags flags, bool ipv6, IReadOnlyCollection<T> all, Func<T, FourTuple> connectionOf, Func<T, PacketTarget?> targetOf)
    {
        if (!all.Any(one => connectionOf(one).IsIPv6 == ipv6))
            return;
        Span<byte> key = stackalloc byte[FourTupleKey.MaxBytes];
        _change.Begin((ushort)(NFNL_SUBSYS_NFTABLES << 8 | type), flags | NetlinkFlags.Ack, new Header(NFPROTO_NETDEV, 0, 0))
            .String(NFTA_SET_ELEM_LIST_TABLE, table).String(NFTA_SET_ELEM_LIST_SET, NameFor(ipv6)).BeginNested(NFTA_SET_ELEM_LIST_ELEMENTS);
        foreach (T one in all)
        {
            FourTuple connection = connectionOf(one);
            if (connection.IsIPv6 != ipv6)
                continue;
            _change.BeginNested(NFTA_LIST_ELEM).BeginNested(NFTA_SET_ELEM_KEY)
                .Attribute(NFTA_DATA_VALUE, key[..FourTupleKey.Write(key, connection)]).EndNested();
            if (targetOf(one) is { } target)
                Verdict(target);
            _change.EndNested();
        }

        _change.EndNested().End();
    }

    private void Verdict(PacketTarget target)
    {
        _change.BeginNested(NFTA_SET_ELEM_DATA).BeginNested(NFTA_DATA_VERDICT).U32BigEndian(NFTA_VERDICT_CODE, unchecked((uint)(target.Verdict switch
        {
            PacketVerdict.Pass => NFT_CONTINUE,
            PacketVerdict.Drop => NF_DROP,
            _ => NFT_GOTO,
        })));
        if (target.Interface != 0)
            _change.String(NFTA_VERDICT_CHAIN, TargetChain.NameOf(target));
        _change.EndNested().EndNested();
    }

    // One that is there already is filled anew: another process has made it.
    private void MakeChain(PacketTarget target)
    {
        string chain = TargetChain.NameOf(target);
        Header header = new(NFPROTO_NETDEV, 0, 0);
        _change.Begin(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN, NetlinkFlags.Create, header)
            .String(NFTA_CHAIN_TABLE, table).String(NFTA_CHAIN_NAME, chain).End();
        _change.Begin(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELRULE, NetlinkFlags.None, header)
            .String(NFTA_RULE_TABLE, table).String(NFTA_RULE_CHAIN, chain).End();
        _change.Begin(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE, NetlinkFlags.Create | NetlinkFlags.Append, header)
            .String(NFTA_RULE_TABLE, table).String(NFTA_RULE_CHAIN, chain).BeginNested(NFTA_RULE_EXPRESSIONS);
        int index = target.Interface;
        Immediate(NFT_REG_1, MemoryMarshal.AsBytes(new ReadOnlySpan<int>(in index)));
        if (target.NextHop is { } nextHop)
            Immediate(NFT_REG_2, nextHop.GetAddressBytes());
        _change.BeginNested(NFTA_LIST_ELEM).String(NFTA_EXPR_NAME, "fwd").BeginNested(NFTA_EXPR_DATA).U32BigEndian(NFTA_FWD_SREG_DEV, NFT_REG_1);
        if (target.NextHop is { } address)
        {
            bool ipv6 = address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6;
            _change.U32BigEndian(NFTA_FWD_SREG_ADDR, NFT_REG_2).U32BigEndian(NFTA_FWD_NFPROTO, ipv6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
        }

        _change.EndNested().EndNested().EndNested().End();
    }

    private void Immediate(uint register, ReadOnlySpan<byte> value) => _change
        .BeginNested(NFTA_LIST_ELEM).String(NFTA_EXPR_NAME, "immediate").BeginNested(NFTA_EXPR_DATA).U32BigEndian(NFTA_IMMEDIATE_DREG, register)
        .BeginNested(NFTA_IMMEDIATE_DATA).Attribute(NFTA_DATA_VALUE, value).EndNested().EndNested().EndNested();

    private static void Read(ReadOnlySpan<byte> attributes, bool ipv6, List<SwitchStatistics> entries)
    {
        foreach (NetlinkAttribute element in new NetlinkAttributes(SetElements.Find(attributes, NFTA_SET_ELEM_LIST_ELEMENTS)))
        {
            ReadOnlySpan<byte> verdict = SetElements.Find(element.Value, NFTA_SET_ELEM_DATA, NFTA_DATA_VERDICT);
            ReadOnlySpan<byte> counter = SetElements.Find(element.Value, NFTA_SET_ELEM_EXPR, NFTA_EXPR_DATA);
            if (FourTupleKey.TryRead(SetElements.Find(element.Value, NFTA_SET_ELEM_KEY, NFTA_DATA_VALUE), ipv6, out FourTuple connection)
                && ReadTarget(verdict) is { } target)
                entries.Add(new SwitchStatistics(new SwitchEntry(connection, target), Count(counter, NFTA_COUNTER_PACKETS), Count(counter, NFTA_COUNTER_BYTES)));
        }
    }

    private static PacketTarget? ReadTarget(ReadOnlySpan<byte> verdict)
    {
        ReadOnlySpan<byte> code = SetElements.Find(verdict, NFTA_VERDICT_CODE);
        return code.Length != sizeof(int) ? null : BinaryPrimitives.ReadInt32BigEndian(code) switch
        {
            NF_DROP => PacketTarget.Drop,
            NFT_GOTO => TargetChain.Parse(System.Text.Encoding.UTF8.GetString(SetElements.Find(verdict, NFTA_VERDICT_CHAIN).TrimEnd((byte)0))),
            _ => PacketTarget.Pass,
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
