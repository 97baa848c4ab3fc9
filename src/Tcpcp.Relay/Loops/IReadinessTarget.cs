using Tcpcp.Linux.Streams;

namespace Tcpcp.Relay.Loops;

/// <summary>What is told when a descriptor becomes ready, on the thread of the loop that watches it.</summary>
internal interface IReadinessTarget
{
    void OnReady(Readiness readiness);
}
