using Tcpcp.Core;

namespace Tcpcp.Check;

/// <summary>One contradictory thing that a segment from the service told the peer.</summary>
/// <param name="Kind">The rule that was broken.</param>
/// <param name="PacketNumber">The packet's number in the file, from 1, as Wireshark and tcpdump count.</param>
/// <param name="Time">When it was captured; UTC, 100 ns steps.</param>
/// <param name="Connection">The connection, service end first.</param>
/// <param name="Message">What was sent and what it contradicts, in plain words with the numbers.</param>
public sealed record Contradiction(ContradictionKind Kind, long PacketNumber, DateTimeOffset Time, FourTuple Connection, string Message);
