using System.Globalization;
using Tcpcp.Agent.Local;
using Tcpcp.Core.Wire;
using Tcpcp.Linux.Processes;
using Tcpcp.LocalApi;

namespace Tcpcp.Agent.Tests.Local;

/// <summary>Who may connect, and what they may.</summary>
public sealed class AccessTests
{
    private const string Python = "/usr/bin/python3"; // of the system: other users can reach it
    private const int User = 54321;
    private const string Applications = "54322";
    private const string Operators = "54323";

    // Says Hello, registers and asks for the status, and prints what comes: a name of the message, and the reason of a refusal.
    private const string Program = """
        import socket, sys
        agent = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        agent.connect(sys.argv[1])
        names = {40: "Welcome", 41: "Registered", 42: "Failed", 52: "Status"}
        for message in b"\x52\x02\x08\x01", b"\x08\x01\x5a\x05\x0a\x03app", b"\x08\x02\xc2\x01\x00":
            try:
                agent.send(message)
                said = agent.recv(65536)
                if not said:
                    break
                at = 2 if said[:1] == b"\x08" else 0
                print(names[(said[at] & 127 | said[at + 1] << 7) >> 3], said[at + 5:] if b"\xd2\x02" in said[:6] else "")
            except OSError as e:
                print(e.strerror)
        """;

    [Fact]
    public async Task A_member_of_the_applications_group_may_register_and_not_operate()
    {
        await using ServedAgent agent = ServedAgent.Start(options => options with { ApplicationGroup = Applications });
        string[] said = await RunAsync(agent, Applications);
        Assert.Equal("Welcome", said[0].Trim());
        Assert.Equal("Registered", said[1].Trim());
        Assert.Contains("This is for operators", said[2], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_member_of_the_operators_group_may_operate_and_not_register()
    {
        await using ServedAgent agent = ServedAgent.Start(options => options with { ApplicationGroup = Applications, OperatorGroup = Operators });
        string[] said = await RunAsync(agent, Operators);
        Assert.Equal("Welcome", said[0].Trim());
        Assert.Contains("applications' group", said[1], StringComparison.Ordinal);
        Assert.Equal("Status", said[2].Trim());
    }

    [Fact]
    public async Task A_supplementary_group_counts()
    {
        await using ServedAgent agent = ServedAgent.Start(options => options with { ApplicationGroup = Applications });
        string[] said = await RunAsync(agent, "54399", Applications);
        Assert.Equal("Registered", said[1].Trim());
    }

    [Fact]
    public async Task A_stranger_does_not_come_in_by_the_files_mode()
    {
        await using ServedAgent agent = ServedAgent.Start(options => options with { ApplicationGroup = Applications });
        Assert.Contains("Permission denied", await RunToErrorAsync(agent, "54399"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_stranger_whom_the_files_mode_lets_in_is_sent_away()
    {
        await using ServedAgent agent = ServedAgent.Start(options => options with { ApplicationGroup = Applications, OperatorGroup = Operators });
        string[] said = await RunAsync(agent, "54399");
        Assert.Contains($"User {User} may not use this agent", said[0], StringComparison.Ordinal);
        Assert.Contains(agent.Events, what => what.Kind == LocalEventKind.SentAway);
        using LocalChannel other = await agent.ConnectByHandAsync();
    }

    [Fact]
    public async Task The_socket_belongs_to_the_group_and_to_nobody_else()
    {
        await using ServedAgent agent = ServedAgent.Start(options => options with { ApplicationGroup = Applications });
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite, File.GetUnixFileMode(agent.SocketPath));
    }

    [Fact]
    public void A_group_that_does_not_exist_is_named()
    {
        ArgumentException e = Assert.Throws<ArgumentException>(() => ServedAgent.Start(options => options with { ApplicationGroup = "no-such-group" }));
        Assert.Contains("groupadd no-such-group", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_socket_that_a_dead_agent_has_left_is_replaced()
    {
        await using ServedAgent agent = ServedAgent.Start();
        string left = agent.SocketPath + ".left";
        string[] said = await PythonAsync($"import socket; socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).bind('{left}'); print('bound')", []);
        Assert.Equal("bound", said[0]);
        Assert.True(File.Exists(left));
        await using LocalServer server = LocalServer.Start(agent.Server.Services, agent.Server.Options with { Path = left }, _ => { });
        using LocalChannel channel = await agent.ConnectByHandAsync();
    }

    [Fact]
    public async Task The_socket_of_an_agent_that_lives_is_not_replaced()
    {
        await using ServedAgent agent = ServedAgent.Start();
        IOException e = Assert.Throws<IOException>(() => LocalServer.Start(agent.Server.Services, agent.Server.Options, _ => { }));
        Assert.Contains("listens on", e.Message, StringComparison.Ordinal);
        using LocalChannel channel = await agent.ConnectByHandAsync();
    }

    [Fact]
    public async Task A_file_that_is_no_socket_is_not_replaced()
    {
        await using ServedAgent agent = ServedAgent.Start();
        string file = agent.SocketPath + ".txt";
        await File.WriteAllTextAsync(file, "precious");
        IOException e = Assert.Throws<IOException>(() => LocalServer.Start(agent.Server.Services, agent.Server.Options with { Path = file }, _ => { }));
        Assert.Contains("is not a socket", e.Message, StringComparison.Ordinal);
        Assert.Equal("precious", await File.ReadAllTextAsync(file));
    }

    private static Task<string[]> RunAsync(ServedAgent agent, string group, string? supplementary = null) => PythonAsync(Program, Setpriv(group, supplementary), agent.SocketPath);

    private static async Task<string> RunToErrorAsync(ServedAgent agent, string group)
    {
        List<string> command = [.. Setpriv(group, null), Python, "-c", Program, agent.SocketPath];
        await using ChildProcess child = ChildProcess.Start(command[0], command[1..]);
        Assert.NotEqual(0, await child.Exit);
        return child.ErrorOutput!.Text;
    }

    // Another user without a capability.
    private static string[] Setpriv(string group, string? supplementary) =>
    [
        "setpriv", "--reuid", User.ToString(CultureInfo.InvariantCulture), "--regid", group,
        .. supplementary is null ? new[] { "--clear-groups" } : ["--groups", supplementary], "--inh-caps=-all", "--bounding-set=-all",
    ];

    private static async Task<string[]> PythonAsync(string program, IReadOnlyList<string> prefix, params string[] arguments)
    {
        List<string> command = [.. prefix, Python, "-c", program, .. arguments];
        await using ChildProcess child = ChildProcess.Start(command[0], command[1..]);
        int code = await child.Exit.WaitAsync(TimeSpan.FromSeconds(60));
        Assert.True(code == 0, child.ErrorOutput!.Text);
        return (await child.Output!.Completed).Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
