namespace Tcpcp.Explorer.Tests;

/// <summary>Which passes are tried, and how much may go wrong.</summary>
/// <param name="Passes">Origin and destination of each; host 0 has the connection first.</param>
/// <param name="Faults">Of all kinds together.</param>
/// <param name="OfAKind">Of one kind.</param>
/// <param name="Kinds">Those that happen.</param>
/// <param name="Emissions">How often the peer sees something new.</param>
internal sealed record Scenario(string Name, (int Origin, int Destination)[] Passes, int Faults = 0, int OfAKind = 1, Fault Kinds = Fault.All, int Emissions = 2)
{
    public static Scenario OnePass { get; } = new("one pass", [(0, 1)]);

    public static Scenario ThereAndBack { get; } = new("there and back", [(0, 1), (1, 0)]);

    public static Scenario Chain { get; } = new("chain", [(0, 1), (1, 2)]);

    public static Scenario TwoDestinations { get; } = new("two destinations", [(0, 1), (0, 2)]);

    public static Scenario Retry { get; } = new("retry", [(0, 1), (0, 1)]);

    public int Hosts { get; } = 1 + Passes.Max(pass => Math.Max(pass.Origin, pass.Destination));

    public int OriginOf(int pass) => Passes[pass].Origin;

    public int DestinationOf(int pass) => Passes[pass].Destination;

    public override string ToString() => $"{Name}, {Faults} faults{(Kinds == Fault.All ? "" : $" ({Kinds})")}";
}

/// <summary>What may go wrong, at any moment.</summary>
[Flags]
internal enum Fault
{
    None = 0,
    AgentKilled = 1,
    HostReboots = 2,
    JournalLost = 4,
    ApplicationDies = 8,
    MessageLost = 16,
    MessageRepeated = 32,
    OperatorAbandons = 64,
    All = 127,
}
