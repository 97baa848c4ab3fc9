namespace Tcpcp.Bench;

/// <summary>What some passes took, in microseconds.</summary>
/// <param name="Time">By the clock.</param>
/// <param name="ProcessorTime">Of all threads of the process, its own and the kernel's on its behalf.</param>
internal readonly record struct PassCost(double Time, double ProcessorTime)
{
    public static PassCost operator +(PassCost left, PassCost right) => new(left.Time + right.Time, left.ProcessorTime + right.ProcessorTime);
}
