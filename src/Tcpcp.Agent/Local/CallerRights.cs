using Tcpcp.Linux.UnixSockets;

namespace Tcpcp.Agent.Local;

/// <summary>What a program may, by the user and the groups that it connected with (SO_PEERCRED).</summary>
/// <param name="MayPass">Register applications and pass connections.</param>
/// <param name="MayOperate">List, settle, drain, status.</param>
internal readonly record struct CallerRights(bool MayPass, bool MayOperate)
{
    public bool MayConnect => MayPass || MayOperate;

    /// <param name="agentUser">The agent's own user, who could do it all anyway.</param>
    /// <param name="applications">Null: no group.</param>
    /// <param name="operators">Null: no group.</param>
    public static CallerRights Of(PeerCredentials caller, uint agentUser, uint? applications, uint? operators)
    {
        const uint Root = 0;
        if (caller.UserId == Root || caller.UserId == agentUser)
            return new CallerRights(MayPass: true, MayOperate: true);
        return new CallerRights(applications is { } group && caller.IsMemberOf(group), operators is { } other && caller.IsMemberOf(other));
    }
}
