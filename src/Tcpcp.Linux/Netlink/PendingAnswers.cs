using System.Runtime.InteropServices;

namespace Tcpcp.Linux.Netlink;

/// <summary>The answers that a sent buffer still waits for. Answers to other sequence numbers are passed over.</summary>
[KernelHeader("linux/netlink.h")]
internal ref struct PendingAnswers
{
    private const ushort NLMSG_ERROR = 2; // linux/netlink.h
    private const ushort NLMSG_DONE = 3;
    private const ushort NLM_F_CAPPED = 0x100;
    private const ushort NLM_F_ACK_TLVS = 0x200;
    private const ushort NLMSGERR_ATTR_MSG = 1;

    private readonly ReadOnlySpan<byte> _sent;
    private int _acknowledgements;
    private bool _done;

    public PendingAnswers(ReadOnlySpan<byte> sent)
    {
        _sent = sent;
        Outcome = NetlinkOutcome.Success;
        for (int at = 0; at < sent.Length; at += Header.Of(sent[at..]).Length)
        {
            if (Header.Of(sent[at..]).Flags.HasFlag(NetlinkFlags.Ack))
                _acknowledgements++;
        }
    }

    /// <summary>True when the answer is a list that ends with NLMSG_DONE.</summary>
    public bool UntilDone { get; init; }

    public NetlinkOutcome Outcome { get; private set; }

    /// <summary>The list changed while it was read.</summary>
    public bool Interrupted { get; private set; }

    public readonly bool Waiting => Outcome.Succeeded && (UntilDone ? !_done : _acknowledgements > 0);

    /// <summary>Takes the messages of one datagram.</summary>
    public void Take(ReadOnlySpan<byte> datagram, ICollection<NetlinkReply>? replies)
    {
        while (datagram.Length >= NetlinkMessage.HeaderBytes)
        {
            Header header = Header.Of(datagram);
            if (header.Length < NetlinkMessage.HeaderBytes || header.Length > datagram.Length)
                return;
            int message = IndexOf(header.Sequence);
            if (message >= 0)
                TakeOne(header, message, datagram[NetlinkMessage.HeaderBytes..header.Length], replies);
            datagram = datagram[Math.Min((header.Length + 3) & ~3, datagram.Length)..];
        }
    }

    private void TakeOne(Header header, int message, ReadOnlySpan<byte> payload, ICollection<NetlinkReply>? replies)
    {
        Interrupted |= header.Flags.HasFlag(NetlinkFlags.DumpInterrupted);
        switch (header.Type)
        {
            case NLMSG_ERROR:
                _acknowledgements--;
                int errno = -MemoryMarshal.Read<int>(payload);
                if (errno != 0 && Outcome.Succeeded)
                    Outcome = new NetlinkOutcome(errno, ReasonOf(header, payload), message);
                break;
            case NLMSG_DONE:
                _done = true;
                if (payload.Length >= 4 && MemoryMarshal.Read<int>(payload) is < 0 and int error && Outcome.Succeeded)
                    Outcome = new NetlinkOutcome(-error, null, message);
                break;
            default:
                replies?.Add(new NetlinkReply(header.Type, payload.ToArray()));
                break;
        }
    }

    // struct nlmsgerr: the error, the header of our message, our payload unless capped, then attributes.
    private static string? ReasonOf(Header header, ReadOnlySpan<byte> payload)
    {
        if (((ushort)header.Flags & NLM_F_ACK_TLVS) == 0)
            return null;
        int attributes = 4 + (((ushort)header.Flags & NLM_F_CAPPED) != 0
            ? NetlinkMessage.HeaderBytes
            : (Header.Of(payload[4..]).Length + 3) & ~3);
        if (attributes > payload.Length)
            return null;
        foreach (NetlinkAttribute attribute in new NetlinkAttributes(payload[attributes..]))
        {
            if (attribute.Type == NLMSGERR_ATTR_MSG)
                return attribute.AsString;
        }

        return null;
    }

    private readonly int IndexOf(uint sequence)
    {
        int index = 0;
        for (int at = 0; at < _sent.Length; at += Header.Of(_sent[at..]).Length, index++)
        {
            if (Header.Of(_sent[at..]).Sequence == sequence)
                return index;
        }

        return -1;
    }

    // struct nlmsghdr
    [KernelHeader("linux/netlink.h", Structure = "struct nlmsghdr", Fields = "nlmsg_len nlmsg_type nlmsg_flags nlmsg_seq nlmsg_pid")]
    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct Header(int Length, ushort Type, NetlinkFlags Flags, uint Sequence, uint Port)
    {
        public static Header Of(ReadOnlySpan<byte> message) => MemoryMarshal.Read<Header>(message);
    }
}
