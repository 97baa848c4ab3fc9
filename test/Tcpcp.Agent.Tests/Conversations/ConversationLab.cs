using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Tcpcp.Agent.Journal;
using Tcpcp.Check;
using Tcpcp.Gate;
using Tcpcp.Lab;
using Tcpcp.Lab.Capture;
using Tcpcp.Linux.Namespaces;
using Tcpcp.Linux.Netlink;
using Tcpcp.Linux.Nftables;
using Tcpcp.Linux.Processes;

namespace Tcpcp.Agent.Tests.Conversations;

/// <summary>
/// A peer that has conversations with an application on host A; host B has the same application. Both are processes with an agent in them and a journal in
/// memory, and can be killed at any step of a pass. What the peer sees is captured.
/// </summary>
internal sealed class ConversationLab : IAsyncDisposable
{
    public const int BytesPerSecond = 4_000_000;
    public const string A = "10.0.0.2";
    public const string B = "10.0.0.3";
    public const string Between = "10.0.0.4";
    public const int AgentPort = 7300;

    private const int KilledBySignal9 = 128 + 9;

    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    private readonly IPEndPoint _service;
    private readonly LabNetwork _lab;
    private readonly string _directory;
    private readonly PacketCapture _capture;
    private readonly Dictionary<string, ChildProcess> _processes = [];
    private readonly List<ChildProcess> _ended = [];
    private readonly List<Conversation> _conversations = [];
    private LinkProxy? _proxy;

    private ConversationLab(LabNetwork lab, string directory, bool ipv6)
    {
        _lab = lab;
        _directory = directory;
        _service = new IPEndPoint(IPAddress.Parse(ipv6 ? "fd00::100" : "10.0.0.100"), 8080);
        Peer = lab.AddHost("peer", "10.0.0.1/24", "fd00::1/64");
        HostA = lab.AddHost("A", A + "/24", "fd00::2/64");
        HostB = lab.AddHost("B", B + "/24", "fd00::3/64");
        HostA.AddOwnAddress(_service.Address);
        _capture = Peer.StartCapture(Path.Combine(directory, "peer.pcapng"));
    }

    public Host Peer { get; }

    public IPAddress ServiceAddress => _service.Address;

    public Host HostA { get; }

    public Host HostB { get; }

    /// <summary>From <see cref="Break"/> on.</summary>
    public LinkProxy Proxy => _proxy!;

    /// <param name="ipv6">The conversations; the agents speak IPv4 with each other.</param>
    public static async Task<ConversationLab> CreateAsync(bool ipv6 = false) =>
        new(await LabNetwork.CreateAsync(), Directory.CreateDirectory($"/dev/shm/tcpcp-test-{Guid.NewGuid():N}").FullName, ipv6);

    /// <summary>Gives the journal on a host, before the application is started, a file system with so much room.</summary>
    public void LimitJournal(string address, int kibibytes)
    {
        string directory = Directory.CreateDirectory(JournalOf(address)).FullName;
        HostOf(address).Run(() => MountSystemCalls.MountFresh("tmpfs", directory, $"size={kibibytes}k"));
    }

    /// <summary>Starts the application on a host, or starts it again.</summary>
    /// <param name="arguments">Further ones of <see cref="PassProcess.ProcessOptions"/>.</param>
    public async Task StartAsync(string address, params string[] arguments)
    {
        if (_processes.Remove(address, out ChildProcess? before))
        {
            await before.DisposeAsync();
            _ended.Add(before);
        }

        IPAddress any = _service.AddressFamily == AddressFamily.InterNetworkV6 ? IPAddress.IPv6Any : IPAddress.Any;
        string program = Path.Combine(AppContext.BaseDirectory, "Tcpcp.PassProcess");
        ChildProcess process = HostOf(address).Start(program,
        [
            new IPEndPoint(any, _service.Port).ToString(), $"{address}:{AgentPort}", JournalOf(address),
            BytesPerSecond.ToString(CultureInfo.InvariantCulture), .. arguments,
        ], new ChildOptions { Input = ChildInput.Pipe });
        _processes[address] = process;
        await WaitForAsync(process, "ready");
    }

    public Conversation Converse()
    {
        Conversation conversation = Conversation.Start(Peer, _service, BytesPerSecond);
        _conversations.Add(conversation);
        return conversation;
    }

    /// <summary>Puts a proxy that breaks the link between an agent that dials <see cref="Between"/> and that of host B.</summary>
    public LinkProxy Break(LinkFault fault) => _proxy = LinkProxy.Start(
        AddBetween(), new IPEndPoint(IPAddress.Parse(Between), AgentPort), new IPEndPoint(IPAddress.Parse(B), AgentPort), fault);

    /// <summary>Puts a proxy that changes every message between an agent that dials <see cref="Between"/> and that of a host.</summary>
    public void Rewrite(string to, Func<Core.Wire.PassMessage, Core.Wire.PassMessage> rewrite) => _proxy = LinkProxy.Start(AddBetween(),
        new IPEndPoint(IPAddress.Parse(Between), AgentPort), new IPEndPoint(IPAddress.Parse(to), AgentPort), new LinkFault(_ => false, length => length) { Rewrite = rewrite });

    /// <summary>A host for whoever stands between the agents.</summary>
    public Host AddBetween() => _lab.AddHost("between", Between + "/24");

    /// <summary>Orders the application at one host to pass all that it has to another, or to whoever listens there.</summary>
    public Task OrderPassAsync(string from, string to, int port = AgentPort) => OrderAsync(from, $"pass {to}:{port}");

    public async Task OrderAsync(string address, string order)
    {
        ChildProcess process = _processes[address];
        await process.Input!.WriteAsync(Encoding.ASCII.GetBytes(order + "\n"));
        await process.Input.FlushAsync();
    }

    /// <summary>Returns when the application on that host has said a line with this beginning.</summary>
    public Task LineAsync(string address, string beginning) => Until.True(() => Lines(_processes[address], beginning).Any(), s_limit, () => Log(address));

    /// <returns>Failure and owner, as the origin says, such as <c>None Destination</c>.</returns>
    public async Task<string> OutcomeAsync(string from, int number = 0)
    {
        string line = "";
        await Until.True(() => (line = Lines(_processes[from], "passed ").ElementAtOrDefault(number) ?? "").Length > 0, s_limit, () => Log(from));
        return string.Join(' ', line.Split(' ')[1..3]);
    }

    /// <summary>Returns when the application on that host has killed itself.</summary>
    public async Task DiesAsync(string address)
    {
        await Until.True(() => _processes[address].Exit.IsCompleted, s_limit, () => $"{Log(A)} {Log(B)}");
        Assert.True(await _processes[address].Exit == KilledBySignal9, Log(address));
    }

    public bool HasStep(string address, string step) => Lines(_processes[address], $"step {step}").Any();

    public Task StepAsync(string address, string step) => Until.True(() => HasStep(address, step), s_limit, () => Log(address));

    /// <summary>What an application on the host says when a conversation ends.</summary>
    public string? EndAt(string address) => Lines(_processes[address], "ended ").FirstOrDefault();

    public string Log(string address) => $"{address}: {_processes[address].Output!.Text}{_processes[address].ErrorOutput!.Text}";

    public Host HostOf(string address) => address == A ? HostA : HostB;

    /// <summary>Ends the conversations: every byte of both streams has arrived, and nothing is left over on any host.</summary>
    public async Task FinishAsync(string owner)
    {
        foreach (Conversation conversation in _conversations)
        {
            await conversation.ProgressAsync(500_000);
            await conversation.FinishAsync();
            Assert.True(conversation.End is "", $"{conversation} {Log(A)} {Log(B)}");
        }

        await Until.True(() => Lines(_processes[owner], "ended ").Count() >= _conversations.Count, s_limit, () => Log(owner));
        foreach (string end in Lines(_processes[owner], "ended "))
            Assert.Contains(_conversations, conversation => end == $"ended sent {conversation.Received} received {conversation.Sent}: end of stream");
        await AssertNothingIsLeftAsync();
    }

    /// <summary>Returns when one of the conversations was reset by the service; it takes no part in what follows.</summary>
    public async Task OneIsResetAsync()
    {
        await Until.True(() => _conversations.Exists(conversation => conversation.End == "ConnectionReset"), s_limit, () => $"{Log(A)} {Log(B)}");
        Conversation reset = Assert.Single(_conversations, conversation => conversation.End is not null);
        _conversations.Remove(reset);
        reset.Dispose();
    }

    /// <summary>Returns when the peers have heard that their conversations have ended, without a wrong byte.</summary>
    public async Task EndedAsync()
    {
        foreach (Conversation conversation in _conversations)
        {
            await Until.True(() => conversation.End is not null, s_limit, () => $"{conversation} {Log(A)} {Log(B)}");
            Assert.True(conversation.End is "" or "ConnectionReset", $"{conversation}");
        }
    }

    /// <summary>The peers have heard by FIN or RST that it is over, no byte before was wrong, and nothing of the pass is left.</summary>
    public async Task AssertEndedAsync()
    {
        await EndedAsync();
        await AssertNothingIsLeftAsync();
        foreach (ConnectionReport connection in await JudgeAsync())
        {
            Assert.Equal([], connection.Findings
                .Where(finding => finding.Kind is not (ContradictionKind.Reset or ContradictionKind.UnexpectedFin)).Select(finding => finding.Message));
        }
    }

    /// <summary>No closed gate, no open pass in a journal, the service address on one host.</summary>
    public async Task AssertNothingIsLeftAsync()
    {
        await Until.True(() => ClosedGates(HostA) + ClosedGates(HostB) == 0, s_limit, () => $"gates A {ClosedGates(HostA)} B {ClosedGates(HostB)} {Log(A)} {Log(B)}");
        await Until.True(() => OpenPasses(A) + OpenPasses(B) == 0, s_limit, () => $"passes A {OpenPasses(A)} B {OpenPasses(B)} {Log(A)} {Log(B)}");
        await Until.True(() => HasAddress(HostA) != HasAddress(HostB), s_limit);
    }

    /// <summary>What the peer saw.</summary>
    public async Task<IReadOnlyList<ConnectionReport>> JudgeAsync()
    {
        await _capture.StopAsync();
        Assert.Equal(0, _capture.Drops);
        return CaptureJudge.Judge(_capture.Path, new JudgeOptions { Peer = _service.AddressFamily == AddressFamily.InterNetworkV6 ? Peer.IPv6 : Peer.IPv4, IsStrict = true }).Connections;
    }

    /// <summary>The peer noticed nothing.</summary>
    public async Task AssertCleanAsync()
    {
        foreach (ConnectionReport connection in await JudgeAsync())
        {
            Assert.Equal([], connection.Findings.Select(finding => finding.Message));
            Assert.Equal((0, 0), (connection.ServiceResets, connection.UnexpectedFins));
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (Conversation conversation in _conversations)
            conversation.Dispose();
        _proxy?.Dispose();
        foreach (ChildProcess process in _processes.Values)
            await process.DisposeAsync();
        await _capture.DisposeAsync();
        await _lab.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    private string JournalOf(string address) => Path.Combine(_directory, address);

    // The journal of a running agent is read as it stands: its records are whole.
    private int OpenPasses(string address)
    {
        string copy = Directory.CreateDirectory(Path.Combine(_directory, Guid.NewGuid().ToString("N"))).FullName;
        HostOf(address).Run(() => File.Copy(Path.Combine(JournalOf(address), "journal"), Path.Combine(copy, "journal"))); // it may have a file system of its own
        using FileJournal journal = FileJournal.Open(copy);
        return journal.ReadAtStart().Count;
    }

    private static int ClosedGates(Host host) => host.Run(() =>
    {
        using SetElements elements = new();
        return ConnectionGate.ListClosed(elements)?.Count ?? 0;
    });

    private bool HasAddress(Host host) => host.Network.Addresses.List().Any(address => address.Address == InterfaceAddress.Single(_service.Address));

    private static IEnumerable<string> Lines(ChildProcess process, string beginning) =>
        process.Output!.Text.Split('\n')[..^1].Where(line => line.StartsWith(beginning, StringComparison.Ordinal)); // the last may still grow

    private static Task WaitForAsync(ChildProcess process, string line) =>
        Until.True(() => Lines(process, line).Any(), s_limit, () => process.Output!.Text + process.ErrorOutput!.Text);
}
