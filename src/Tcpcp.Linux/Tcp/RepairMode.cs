using System.Runtime.InteropServices;
using Tcpcp.Core;
using static Tcpcp.Linux.Tcp.SocketLevel;
using static Tcpcp.Linux.Tcp.TcpOption;

namespace Tcpcp.Linux.Tcp;

/// <summary>
/// TCP_REPAIR (net/ipv4/tcp.c): reads and writes a socket's state. It needs CAP_NET_ADMIN in the network namespace. Repair mode does not make a
/// socket silent; the gate does.
/// </summary>
internal static class RepairMode
{
    public static void Enter(SafeHandle socket) => SocketOption.Set(socket, IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_ON);

    /// <param name="probe">Send a window probe, so that the peer answers with what it has.</param>
    /// <param name="reuseAddress">SO_REUSEADDR, which leaving zeroes: if the next packet ends the connection, its TIME_WAIT would keep a listener from the port else.</param>
    public static void Leave(SafeHandle socket, bool probe, bool reuseAddress)
    {
        SocketOption.Set(socket, IPPROTO_TCP, TCP_REPAIR, probe ? TCP_REPAIR_OFF : TCP_REPAIR_OFF_NO_WP);
        if (reuseAddress)
            SocketOption.Set(socket, SOL_SOCKET, SO_REUSEADDR, 1);
    }

    public static bool IsOn(SafeHandle socket) => SocketOption.Get(socket, IPPROTO_TCP, TCP_REPAIR) == TCP_REPAIR_ON;

    /// <summary>Selects the queue that <c>send</c>, <c>recv(MSG_PEEK)</c> and TCP_QUEUE_SEQ mean: TCP_NO_QUEUE, TCP_RECV_QUEUE, TCP_SEND_QUEUE.</summary>
    public static void SelectQueue(SafeHandle socket, int queue) => SocketOption.Set(socket, IPPROTO_TCP, TCP_REPAIR_QUEUE, queue);

    /// <summary>RCV.NXT or write_seq, by the selected queue.</summary>
    public static SequenceNumber QueueSequence(SafeHandle socket) =>
        new(unchecked((uint)SocketOption.Get(socket, IPPROTO_TCP, TCP_QUEUE_SEQ)));

    /// <summary>Sets the number at which the selected queue starts; only before <c>connect</c>.</summary>
    public static void SetQueueSequence(SafeHandle socket, SequenceNumber number) =>
        SocketOption.Set(socket, IPPROTO_TCP, TCP_QUEUE_SEQ, number.Value);

    public static RepairWindow Window(SafeHandle socket)
    {
        SocketOption.Get(socket, IPPROTO_TCP, TCP_REPAIR_WINDOW, out TcpRepairWindow window);
        return new RepairWindow(new SequenceNumber(window.snd_wl1), window.snd_wnd, window.max_window, window.rcv_wnd,
            new SequenceNumber(window.rcv_wup));
    }

    public static void SetWindow(SafeHandle socket, RepairWindow window) =>
        SocketOption.Set(socket, IPPROTO_TCP, TCP_REPAIR_WINDOW, new TcpRepairWindow
        {
            snd_wl1 = window.SndWl1.Value,
            snd_wnd = window.SndWnd,
            max_window = window.MaxWindow,
            rcv_wnd = window.RcvWnd,
            rcv_wup = window.RcvWup.Value,
        });

    public static TimestampClock Timestamp(SafeHandle socket)
    {
        uint value = unchecked((uint)SocketOption.Get(socket, IPPROTO_TCP, TCP_TIMESTAMP));
        return new TimestampClock(value & ~1u, (value & 1) != 0, TimeSpan.Zero); // the lowest bit is the unit (Linux 6.7)
    }

    /// <summary>Sets what the timestamp clock shows now.</summary>
    public static void SetTimestamp(SafeHandle socket, uint value, bool microseconds) =>
        SocketOption.Set(socket, IPPROTO_TCP, TCP_TIMESTAMP, (value & ~1u) | (microseconds ? 1u : 0u));

    /// <summary>Sets what the SYN exchange agreed on; needs ESTABLISHED and nothing sent.</summary>
    public static void SetNegotiated(SafeHandle socket, NegotiatedOptions negotiated)
    {
        Span<TcpRepairOption> options = stackalloc TcpRepairOption[4];
        int count = 0;
        options[count++] = new TcpRepairOption { opt_code = TcpHeaderOption.TCPOPT_MAXSEG, opt_val = (uint)negotiated.MssClamp };
        // Without scaling too, with shift counts of 0: connect in repair mode has chosen its own, and the window's right edge would step back.
        options[count++] = new TcpRepairOption
        {
            opt_code = TcpHeaderOption.TCPOPT_WINDOW,
            opt_val = negotiated.SndWscale | ((uint)negotiated.RcvWscale << 16),
        };
        if (negotiated.Sack)
            options[count++] = new TcpRepairOption { opt_code = TcpHeaderOption.TCPOPT_SACK_PERMITTED };
        if (negotiated.Timestamps)
            options[count++] = new TcpRepairOption { opt_code = TcpHeaderOption.TCPOPT_TIMESTAMP };
        SocketOption.SetBytes(socket, IPPROTO_TCP, TCP_REPAIR_OPTIONS, MemoryMarshal.AsBytes(options[..count]));
    }
}
