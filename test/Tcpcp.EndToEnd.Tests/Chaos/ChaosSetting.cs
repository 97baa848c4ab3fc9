using Tcpcp.Lab;

namespace Tcpcp.EndToEnd.Tests.Chaos;

/// <summary>What a run is like, by its seed.</summary>
/// <param name="IsGateway">A gateway moves the packets; else the host of the address forwards them, and the address moves now and then.</param>
/// <param name="IsRelay">The applications are relays before a server of another host; each session is two connections.</param>
/// <param name="Path">To the peer; null: a short one.</param>
/// <param name="HasClock">The agents have a time of day that can be changed; it costs them some processor time.</param>
/// <param name="IsPatient">Faults may last for minutes.</param>
internal sealed record ChaosSetting(int Seed, bool IsGateway, bool IsRelay, LongPath? Path, bool HasClock, bool IsPatient)
{
    private const long BytesPerSecond = 100_000_000;
    private const long QueueBytes = 4 << 20;

    public static ChaosSetting Draw(int seed, bool isPatient)
    {
        Random random = new(seed);
        bool isGateway = random.Next(3) == 0, isLong = random.Next(3) == 0, hasClock = random.Next(3) == 0;
        PathFaults faults = new(
            Loss: random.NextDouble() * 0.005, Reordering: random.NextDouble() * 0.02, Duplication: random.NextDouble() * 0.02, Lateness: TimeSpan.FromMilliseconds(random.Next(1, 10)), seed);
        bool isRelay = random.Next(3) == 0 && !isGateway;
        return new ChaosSetting(seed, isGateway, isRelay, isLong ? new LongPath(TimeSpan.FromMilliseconds(random.Next(1, 10)), BytesPerSecond, QueueBytes) { Faults = faults } : null, hasClock, isPatient);
    }

    public override string ToString() => $"{Seed} ({(IsGateway ? "gateway" : "forward")}{(IsRelay ? ", relays" : "")}{(Path is null ? "" : ", a path with faults")}{(HasClock ? ", clocks" : "")}{(IsPatient ? ", patient" : "")})";
}
