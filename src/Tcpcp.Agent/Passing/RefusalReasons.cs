using Tcpcp.Core;
using Tcpcp.Core.Wire;

namespace Tcpcp.Agent.Passing;

/// <summary>Refusals as the wire has them, and as results.</summary>
internal static class RefusalReasons
{
    public static PassFailure ToFailure(RefusalReason reason) => reason switch
    {
        RefusalReason.Policy => PassFailure.RefusedByPolicy,
        RefusalReason.NoApplication => PassFailure.NoApplication,
        RefusalReason.Conflict => PassFailure.Conflict,
        RefusalReason.Kernel => PassFailure.RestoreRefusedByKernel,
        RefusalReason.Invalid => PassFailure.InvalidSnapshot,
        RefusalReason.Application => PassFailure.RefusedByApplication,
        RefusalReason.Redirection => PassFailure.RedirectionFailed,
        RefusalReason.Expired or RefusalReason.UnknownTicket => PassFailure.Expired,
        _ => PassFailure.InvalidSnapshot,
    };

    public static RefusalReason FromFailure(PassFailure failure) => failure switch
    {
        PassFailure.RefusedByPolicy => RefusalReason.Policy,
        PassFailure.NoApplication => RefusalReason.NoApplication,
        PassFailure.Conflict => RefusalReason.Conflict,
        PassFailure.RestoreRefusedByKernel => RefusalReason.Kernel,
        PassFailure.InvalidSnapshot => RefusalReason.Invalid,
        PassFailure.RefusedByApplication => RefusalReason.Application,
        PassFailure.RedirectionFailed => RefusalReason.Redirection,
        _ => RefusalReason.Expired,
    };
}
