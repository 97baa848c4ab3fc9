namespace Tcpcp.Linux.Switching;

/// <summary>A switch's name and its place among others at the same interfaces.</summary>
/// <param name="Name">In file names of the BPF file system.</param>
/// <param name="Table">Name of the table where it is made with nftables.</param>
/// <param name="Priority">Of the table's chain: the lower comes first.</param>
/// <param name="Behind">The switch that comes before it; null: it is the first of all.</param>
internal sealed record SwitchPlace(string Name, string Table, int Priority, SwitchPlace? Behind = null)
{
    /// <summary>Packets that go on to another host.</summary>
    public static SwitchPlace Forward { get; } = new("forward", "tcpcp-forward", -500);

    /// <summary>Packets that wait here. Those that still go to another host do not.</summary>
    public static SwitchPlace Hold { get; } = new("hold", "tcpcp", -490, Forward);

    public static IReadOnlyList<SwitchPlace> All { get; } = [Forward, Hold];
}
