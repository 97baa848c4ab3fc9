using System.Text.Json;
using System.Text.Json.Nodes;
using Tcpcp.Linux.Netlink;

namespace Tcpcp.EndToEnd.Tests.Agents;

/// <summary>Connections whose packets something moves that only the operator's program knows: here the peer's route.</summary>
public sealed class HookTests(LabCertificates certificates)
{
    // Writes its order to a file, and waits until somebody has done it.
    private const string Script = """
        #!/bin/sh
        set -e
        cat > "$1/$$.json.tmp"
        mv "$1/$$.json.tmp" "$1/$$.json"
        while [ ! -e "$1/$$.done" ]; do sleep 0.01; done
        exit "$(cat "$1/$$.done")"
        """;

    public static TheoryData<bool> Families => [false, true];

    [Theory, MemberData(nameof(Families))]
    public async Task A_connection_goes_there_and_back(bool ipv6)
    {
        await using HookLab hook = await StartAsync(ipv6);
        RedirectedLab lab = hook.Lab;
        EchoConversation conversation = await lab.ConverseAsync();
        Assert.Same(lab.Agents[0], lab.OwnerOf(conversation));
        await RedirectedLab.PassAsync(conversation, lab.Agents[0], lab.Agents[1]);
        await conversation.ProgressAsync(500_000);
        await RedirectedLab.PassAsync(conversation, lab.Agents[1], lab.Agents[0]);
        await lab.FinishAsync();
        Assert.Equal(["divert 2 host-a host-b", "done 2 host-a host-b", "divert 4 host-b host-a", "done 4 host-b host-a"], hook.Orders.Select(Describe));
        JsonElement connection = Assert.Single(hook.Orders[0].GetProperty("connections").EnumerateArray());
        Assert.Equal(conversation.Connection.Local.ToString(), connection.GetProperty("local").GetString());
        Assert.Equal(conversation.Connection.Peer.ToString(), connection.GetProperty("peer").GetString());
        Assert.Contains(lab.AddressOf(lab.Agents[1].Host).ToString(), hook.Orders[0].GetProperty("to_addresses").EnumerateArray().Select(one => one.GetString()));
    }

    [Theory, MemberData(nameof(Families))]
    public async Task What_the_destination_refuses_after_the_divert_goes_on_at_the_origin(bool ipv6)
    {
        await using HookLab hook = await StartAsync(ipv6);
        RedirectedLab lab = hook.Lab;
        EchoConversation conversation = await lab.ConverseAsync();
        lab.EchoOf(lab.Agents[1]).Objection = "not now";
        JsonElement report = Assert.Single(await lab.Agents[0].JsonAsync(1, "pass", $"{conversation.Connection}", "--to", lab.Agents[1].Name));
        Assert.Equal("RefusedByApplication", report.GetProperty("failure").GetString());
        await lab.FinishAsync();
        Assert.Equal(["divert 2 host-a host-b", "undo 3 host-b host-a"], hook.Orders.Select(Describe));
    }

    [Theory]
    [InlineData(false, 7, "ended with exit code 7")]
    [InlineData(true, null, "did not answer within")]
    public async Task A_program_that_fails_or_hangs_ends_the_pass_and_the_connection_goes_on(bool ipv6, int? exitCode, string reason)
    {
        await using HookLab hook = await StartAsync(ipv6, timeout: exitCode is null ? "2s" : "20s");
        RedirectedLab lab = hook.Lab;
        EchoConversation conversation = await lab.ConverseAsync();
        hook.ExitCodeOfDivert = () => exitCode;
        JsonElement report = Assert.Single(await lab.Agents[0].JsonAsync(1, "pass", $"{conversation.Connection}", "--to", lab.Agents[1].Name));
        Assert.Equal(("RedirectionFailed", "Origin"), (report.GetProperty("failure").GetString(), report.GetProperty("owner").GetString()));
        Assert.Contains(reason, report.GetProperty("detail").GetString(), StringComparison.Ordinal);
        await Eventually.True(() => hook.Orders.Any(order => order.GetProperty("action").GetString() == "undo"));
        await conversation.ProgressAsync(200_000);

        hook.ExitCodeOfDivert = null;
        await RedirectedLab.PassAsync(conversation, lab.Agents[0], lab.Agents[1]);
        await lab.FinishAsync();
        await Eventually.True(() => !Directory.EnumerateFiles("/proc", "cmdline", new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 1, IgnoreInaccessible = true })
            .Any(file => IsOf(file, hook.ScriptPath))); // what hung is gone
    }

    private async Task<HookLab> StartAsync(bool ipv6, string timeout = "20s")
    {
        string? script = null;
        string? orders = null;
        RedirectedLab lab = await RedirectedLab.StartRoutedAsync(certificates, ipv6, "hook", one =>
        {
            script = Path.Combine(one.DirectoryPath, "hook.sh");
            orders = Directory.CreateDirectory(Path.Combine(one.DirectoryPath, "orders")).FullName;
            File.WriteAllText(script, Script);
            File.SetUnixFileMode(script, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            foreach (LabAgent agent in one.Agents)
                agent.Configuration["hook"] = new JsonObject { ["command"] = new JsonArray(script, orders), ["timeout"] = timeout };
        });
        return new HookLab(lab, script!, orders!);
    }

    private static string Describe(JsonElement order) =>
        $"{order.GetProperty("action").GetString()} {order.GetProperty("number").GetUInt64()} {order.GetProperty("from").GetString()} {order.GetProperty("to").GetString()}";

    private static bool IsOf(string commandLine, string script)
    {
        try
        {
            return File.ReadAllText(commandLine).Contains(script, StringComparison.Ordinal) && !commandLine.Contains($"/{Environment.ProcessId}/", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false; // it has ended
        }
    }

    /// <summary>Does what the hook's program waits for.</summary>
    private sealed class HookLab : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stopping = new();
        private readonly List<JsonElement> _orders = [];
        private readonly Task _working;
        private readonly string _directory;

        public HookLab(RedirectedLab lab, string script, string directory)
        {
            (Lab, ScriptPath, _directory) = (lab, script, directory);
            _working = Task.Run(WorkAsync);
        }

        public RedirectedLab Lab { get; }

        public string ScriptPath { get; }

        /// <summary>With what it ends when it is asked for a divert, which is not done then; null: it hangs. Itself null: it is done.</summary>
        public Func<int?>? ExitCodeOfDivert { get; set; }

        public IReadOnlyList<JsonElement> Orders
        {
            get
            {
                lock (_orders)
                    return [.. _orders];
            }
        }

        public async ValueTask DisposeAsync()
        {
            await _stopping.CancelAsync();
            await _working;
            await Lab.DisposeAsync();
            _stopping.Dispose();
        }

        private async Task WorkAsync()
        {
            while (!_stopping.IsCancellationRequested)
            {
                foreach (string file in Directory.GetFiles(_directory, "*.json"))
                {
                    JsonElement order = JsonDocument.Parse(await File.ReadAllTextAsync(file)).RootElement;
                    File.Delete(file);
                    lock (_orders)
                        _orders.Add(order);
                    int? exitCode = 0;
                    if (ExitCodeOfDivert is { } exitCodeOfDivert && order.GetProperty("action").GetString() == "divert")
                        exitCode = exitCodeOfDivert();
                    else if (order.GetProperty("action").GetString() != "done")
                        Move(order.GetProperty("to").GetString()!);
                    if (exitCode is { } code)
                    {
                        string done = Path.ChangeExtension(file, ".done");
                        await File.WriteAllTextAsync(done + ".tmp", $"{code}");
                        File.Move(done + ".tmp", done);
                    }
                }

                await Task.Delay(2);
            }
        }

        private void Move(string agent)
        {
            System.Net.IPAddress next = Lab.AddressOf(Lab.Agents.Single(one => one.Name == agent).Host);
            Lab.Peer.Network.Routes.Replace(Route.Via(InterfaceAddress.Single(Lab.Service), next));
        }
    }
}
