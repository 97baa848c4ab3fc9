using System.Runtime.CompilerServices;

namespace Tcpcp.Core.Tests;

/// <summary>How many samples each property is tried with; CsCheck's own default of 100 finds little in bytes that are damaged at random.</summary>
internal static class SampleSize
{
    private const int Samples = 10_000;

    [ModuleInitializer]
    internal static void Set() => CsCheck.Check.Iter = Samples;
}
