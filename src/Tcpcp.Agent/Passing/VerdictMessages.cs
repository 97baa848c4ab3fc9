using Tcpcp.Core.Passing;
using Tcpcp.Core.Wire;

namespace Tcpcp.Agent.Passing;

/// <summary>Verdicts as the wire has them.</summary>
internal static class VerdictMessages
{
    public static PassVerdict KindOf(Verdict verdict) => verdict.Kind switch
    {
        VerdictKind.Accepted => PassVerdict.Accepted,
        VerdictKind.Refused => PassVerdict.Refused,
        _ => PassVerdict.Unknown,
    };

    /// <param name="detail">Why it was refused, for a person.</param>
    /// <param name="blackoutNanoseconds">Of connections that run; 0: not known.</param>
    public static Verdict New(DestinationEffect.SendVerdict verdict, string detail, ulong blackoutNanoseconds = 0) => verdict.Verdict switch
    {
        PassVerdict.Accepted => new Verdict { Kind = VerdictKind.Accepted, BlackoutNs = blackoutNanoseconds },
        PassVerdict.Refused => new Verdict { Kind = VerdictKind.Refused, Reason = RefusalReasons.FromFailure(verdict.Failure), Detail = detail },
        _ => new Verdict { Kind = VerdictKind.Unknown, Detail = "The destination has lost its memory of this pass." },
    };
}
