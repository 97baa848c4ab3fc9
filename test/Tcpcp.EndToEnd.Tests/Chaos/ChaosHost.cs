using System.Globalization;
using Tcpcp.Core;
using Tcpcp.EndToEnd.Tests.Agents;
using Tcpcp.Lab;
using Tcpcp.Linux.Diagnostics;
using Tcpcp.Linux.Nftables;
using Tcpcp.Linux.Processes;

namespace Tcpcp.EndToEnd.Tests.Chaos;

/// <summary>A host of a chaos run: its agent and its application, to which everything may happen.</summary>
internal sealed class ChaosHost(LabAgent agent, int seed)
{
    public const int Port = 8080;
    private const string Cut = "test-cut";

    private readonly List<string> _earlier = [];
    private ChildProcess? _application;

    public LabAgent Agent => agent;

    public string Name => agent.Name;

    /// <summary>Something happens to it just now.</summary>
    public bool IsTroubled { get; set; }

    /// <summary>It boots just now.</summary>
    public bool IsAway { get; set; }

    public ChildProcess Application => _application!;

    /// <summary>What its applications said, one after the other.</summary>
    public string Said => string.Concat(_earlier) + _application?.Output!.Text + _application?.ErrorOutput!.Text;

    public async Task StartApplicationAsync()
    {
        string[] arguments = ["chaos", agent.SocketPath, Port.ToString(CultureInfo.InvariantCulture), seed.ToString(CultureInfo.InvariantCulture)];
        _application = agent.Start(Path.Combine(AppContext.BaseDirectory, "Tcpcp.PassProcess"), arguments);
        await Eventually.True(() => _application.Output!.Text.Contains("ready", StringComparison.Ordinal) || _application.Exit.IsCompleted);
        Assert.False(_application.Exit.IsCompleted, $"{Name}: the application did not start: {_application.Output!.Text}{_application.ErrorOutput!.Text}");
    }

    public async Task KillApplicationAsync()
    {
        await _application!.DisposeAsync();
        _earlier.Add(_application.Output!.Text + _application.ErrorOutput!.Text);
        _application = null;
    }

    /// <summary>Connections of the service that have a socket here.</summary>
    public IReadOnlyList<FourTuple> Connections() => agent.Host.Run(() =>
    {
        using SocketDiagnostics sockets = new();
        return (IReadOnlyList<FourTuple>)[.. sockets.List().Select(socket => socket.Connection).Where(connection => connection.Local.Port == Port)];
    });

    /// <summary>Nothing passes between this agent and others until it is healed.</summary>
    public void CutLinks() => agent.Host.Run(() => LibNftables.Run($$"""
        add table inet {{Cut}}
        add chain inet {{Cut}} in { type filter hook input priority -400; }
        add chain inet {{Cut}} out { type filter hook output priority -400; }
        add rule inet {{Cut}} in tcp dport 7300 drop
        add rule inet {{Cut}} in tcp sport 7300 drop
        add rule inet {{Cut}} out tcp dport 7300 drop
        add rule inet {{Cut}} out tcp sport 7300 drop
        """));

    public void HealLinks() => agent.Host.Run(() => LibNftables.Run($"delete table inet {Cut}"));
}
