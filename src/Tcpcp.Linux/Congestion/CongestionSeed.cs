using System.Runtime.InteropServices;

namespace Tcpcp.Linux.Congestion;

/// <summary>What congestion control of a restored socket starts from.</summary>
/// <param name="WindowSegments">Congestion window in segments.</param>
/// <param name="Rate">Limit of the pacing rate in bytes a second, for the first round trips. Without it the window leaves as one burst.</param>
/// <param name="OwnRate">The application's limit (SO_MAX_PACING_RATE), which holds afterwards; <see cref="ulong.MaxValue"/>: none.</param>
internal readonly record struct CongestionSeed(int WindowSegments, ulong Rate, ulong OwnRate)
{
    /// <summary>Whether the rate is limited. The program knows rates of 32 bits (4.3 GB/s) only.</summary>
    public bool IsPaced => Rate < OwnRate && Rate < uint.MaxValue && OwnRate is < uint.MaxValue or ulong.MaxValue;
}

/// <summary>The value of the program's map, by the socket's cookie: <c>struct seed</c> in bpf/congestion_keep.c.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct BpfSeed
{
    public uint Window;
    public uint Rate;
    public uint OwnRate;
    public uint RoundTrips;
    public uint RoundEnd;
    public uint HasBegun;
    public uint Flags;
    public uint Unused;

    public static BpfSeed Of(CongestionSeed seed, uint roundTrips) => new()
    {
        Window = (uint)seed.WindowSegments,
        Rate = (uint)Math.Min(seed.Rate, uint.MaxValue),
        OwnRate = (uint)Math.Min(seed.OwnRate, uint.MaxValue),
        RoundTrips = roundTrips,
    };

    public readonly ulong OwnPacingRate => OwnRate == uint.MaxValue ? ulong.MaxValue : OwnRate;
}
