using Tcpcp.Core.Wire;

namespace Tcpcp.AspNetCore.Passing;

/// <summary>Where a connection comes from, and what goes with it.</summary>
/// <param name="Origin">Name of the agent there.</param>
/// <param name="Epoch">The number of its last redirection.</param>
internal sealed record ArrivedConnection(string Origin, ulong Epoch, ServerConnection State)
{
    /// <summary>Hosts that it was passed to.</summary>
    public int Passes => (int)State.Passes;
}
