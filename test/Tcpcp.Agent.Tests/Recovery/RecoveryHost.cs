using System.Globalization;
using System.Text;
using Tcpcp.Agent.Journal;
using Tcpcp.Gate;
using Tcpcp.Lab;
using Tcpcp.Linux.Nftables;
using Tcpcp.Linux.Processes;

namespace Tcpcp.Agent.Tests.Recovery;

/// <summary>A host with an agent and an application, processes of their own that can be killed and started again.</summary>
internal sealed class RecoveryHost(string name, string directory, Host host) : IAsyncDisposable
{
    private const int KilledBySignal9 = 128 + 9;

    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    private readonly List<string> _earlier = [];

    public string Name => name;

    /// <summary>A new one after a boot.</summary>
    public Host Host { get; set; } = host;

    public ChildProcess? Agent { get; private set; }

    public ChildProcess? Application { get; private set; }

    public string SocketPath => Path.Combine(directory, $"{name}.sock");

    public string ConfigurationPath => Path.Combine(directory, $"{name}.json");

    public string JournalDirectory => Path.Combine(directory, $"{name}.journal");

    public string Log => $"--- {name}: {string.Join("| ", _earlier)} | agent: {TextOf(Agent)} | application: {TextOf(Application)}";

    /// <summary>Starts the agent and the application, where they do not run.</summary>
    public async Task StartWhatIsMissingAsync(int servicePort, int bytesPerSecond)
    {
        Agent ??= await StartAsync(["host", ConfigurationPath]);
        int registrations = CountRegistrations();
        if (Application is null)
        {
            Application = await StartAsync(["application", SocketPath, $"0.0.0.0:{servicePort}", bytesPerSecond.ToString(CultureInfo.InvariantCulture)]);
            await Until.True(() => CountRegistrations() > registrations, s_limit, () => Log);
        }

        await Until.True(() => CountRegistrations() > 0, s_limit, () => Log); // with an agent that was started again

        int CountRegistrations() => Agent.Output!.Text.Split(" Registered ").Length - 1;
    }

    /// <summary>SIGKILL; returns when the process is gone.</summary>
    public async Task KillAgentAsync()
    {
        await EndAsync(Agent);
        Agent = null;
    }

    public async Task KillApplicationAsync()
    {
        await EndAsync(Application);
        Application = null;
    }

    /// <summary>Returns when the agent has killed itself.</summary>
    public async Task AgentDiesAsync()
    {
        await Until.True(() => Agent!.Exit.IsCompleted, s_limit, () => Log);
        Assert.True(await Agent!.Exit == KilledBySignal9, Log);
        await KillAgentAsync();
    }

    public void DeleteJournal() => Directory.Delete(JournalDirectory, recursive: true);

    /// <summary>Gives the agent an order; returns when it has heard it.</summary>
    public async Task OrderAgentAsync(string order)
    {
        int heard = Lines(Agent!, "heard ").Count();
        await SendAsync(Agent!, order);
        await Until.True(() => Lines(Agent!, "heard ").Count() > heard, s_limit, () => Log);
    }

    public Task OrderApplicationAsync(string order) => SendAsync(Application!, order);

    public int CountAgentLines(string beginning) => Agent is null ? 0 : Lines(Agent, beginning).Count();

    public int CountApplicationLines(string beginning) => Application is null ? 0 : Lines(Application, beginning).Count();

    public string LastApplicationLine(string beginning) => Lines(Application!, beginning).Last();

    /// <summary>What the journal of the running agent holds.</summary>
    public int OpenPasses()
    {
        string copy = Directory.CreateDirectory(Path.Combine(directory, Guid.NewGuid().ToString("N"))).FullName;
        try
        {
            File.Copy(Path.Combine(JournalDirectory, "journal"), Path.Combine(copy, "journal"));
            using FileJournal journal = FileJournal.Open(copy);
            return journal.ReadAtStart().Count;
        }
        finally
        {
            Directory.Delete(copy, recursive: true);
        }
    }

    public int ClosedGates() => Host.Run(() =>
    {
        using SetElements elements = new();
        return ConnectionGate.ListClosed(elements)?.Count ?? 0;
    });

    public async ValueTask DisposeAsync()
    {
        await EndAsync(Application);
        await EndAsync(Agent);
    }

    private async Task<ChildProcess> StartAsync(IReadOnlyList<string> arguments)
    {
        ChildProcess process = Host.Start(Path.Combine(AppContext.BaseDirectory, "Tcpcp.PassProcess"), arguments, new ChildOptions { Input = ChildInput.Pipe });
        await Until.True(() => Lines(process, "ready").Any(), s_limit, () => TextOf(process));
        return process;
    }

    private async Task EndAsync(ChildProcess? process)
    {
        if (process is null)
            return;
        await process.DisposeAsync();
        _earlier.Add(TextOf(process));
    }

    private static async Task SendAsync(ChildProcess process, string order)
    {
        await process.Input!.WriteAsync(Encoding.ASCII.GetBytes(order + "\n"));
        await process.Input.FlushAsync();
    }

    private static string TextOf(ChildProcess? process) => process is null ? "" : $"{process.Output!.Text}{process.ErrorOutput!.Text}";

    private static IEnumerable<string> Lines(ChildProcess process, string beginning) =>
        process.Output!.Text.Split('\n')[..^1].Where(line => line.StartsWith(beginning, StringComparison.Ordinal)); // the last may still grow
}
