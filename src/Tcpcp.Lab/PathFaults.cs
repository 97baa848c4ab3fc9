namespace Tcpcp.Lab;

/// <summary>What a path does wrong, of its TCP packets alone, in each direction: shares from 0 to 1. A super-segment is lost, late or doubled as a whole.</summary>
/// <param name="Loss">Packets that do not arrive.</param>
/// <param name="Reordering">Packets that later ones overtake.</param>
/// <param name="Duplication">Packets that arrive twice.</param>
/// <param name="Lateness">Of those that are overtaken.</param>
/// <param name="Seed">The same one chooses the same packets by their number.</param>
public sealed record PathFaults(double Loss, double Reordering, double Duplication, TimeSpan Lateness, int Seed);
