namespace Tcpcp.Core;

/// <summary>The window's state as the kernel gives and takes it in repair mode (struct tcp_repair_window, linux/tcp.h).</summary>
/// <param name="SndWl1">SND.WL1: sequence number of the segment that last updated the send window.</param>
/// <param name="SndWnd">SND.WND: what the peer offers, in bytes, scaled.</param>
/// <param name="MaxWindow">The largest window that the peer has ever offered, in bytes.</param>
/// <param name="RcvWnd">RCV.WND: what we offered last, in bytes.</param>
/// <param name="RcvWup">RCV.NXT at the time when <paramref name="RcvWnd"/> was offered; the sum of both is the window's right edge.</param>
public readonly record struct RepairWindow(SequenceNumber SndWl1, uint SndWnd, uint MaxWindow, uint RcvWnd, SequenceNumber RcvWup);
