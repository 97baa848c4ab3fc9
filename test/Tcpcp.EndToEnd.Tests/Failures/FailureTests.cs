using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Tcpcp.Core.Tests.Architecture;
using Tcpcp.Linux.Processes;

namespace Tcpcp.EndToEnd.Tests.Failures;

/// <summary>Each command with what it needs missing: docs/failures.md is what really happens.</summary>
public sealed partial class FailureTests
{
    private const string Document = "docs/failures.md";
    private const string Begin = "<!-- printed by FailureTests -->\n";
    private const string Switch = "TCPCP_UPDATE_DOCS";
    private const int AtATime = 4;

    // What the preparations are written with. Python needs no package, and is what tests use anyhow; a connection is between two sockets of one process.
    private const string Shell = """
        set -e
        mount -t tmpfs tmpfs /srv; cd /srv; ip link set lo up
        tcpcp() {
            if [ -n "${bare:-}" ]; then setpriv --bounding-set=-all --inh-caps=-all --ambient-caps=-all timeout 60 "$TCPCP" "$@"; else timeout 60 ${linux:-} "$TCPCP" "$@"; fi
        }
        old_linux() { linux="python3 $OLD_KERNEL $1"; }
        background() { python3 -c "import os, socket, time
        $1
        open('ready', 'w').close(); time.sleep(60)" & helper=$!; until [ -e ready ]; do kill -0 $helper; sleep 0.01; done; rm ready; }
        connection=127.0.0.1:7000-127.0.0.1:51514
        connect() { background "l = socket.create_server(('127.0.0.1', 7000)); c = socket.create_connection(('127.0.0.1', 7000), source_address=('127.0.0.1', 51514)); s, _ = l.accept()"; }
        disconnect() { kill $helper; wait $helper 2>/dev/null || true; }
        listen() { background "l = socket.create_server(('127.0.0.1', $1))"; }
        lock() { background "import fcntl; f = open('$1', 'w'); fcntl.flock(f, fcntl.LOCK_EX)"; }
        leave() { python3 -c "import socket; socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).bind('$1')"; }
        serve() { background "s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.bind('$1'); s.listen()"; }
        configure() {
            tcpcp cert authority --out . >/dev/null
            tcpcp cert host host-a --authority . --out . >/dev/null
            python3 - "$1" <<'END'
        import json, re, sys
        agent = { "name": "host-a", "interface": "lo", "listen": "127.0.0.1:7300", "redirection": "forward", "journal": "/srv/journal",
            "certificate": { "file": "host-a.pem", "key": "host-a.key", "authority": "authority.pem" },
            "local": { "socket": "/srv/agent.sock", "applications-group": "root" } }
        # .a.b = VALUE | .c["d"] = VALUE
        for change in filter(lambda text: text != ".", re.split(r" \| ", sys.argv[1])):
            path, value = change.split(" = ", 1)
            keys = [key or quoted for key, quoted in re.findall(r'\.([a-z-]+)|\["([a-z-]+)"\]', path)]
            place = agent
            for key in keys[:-1]:
                place = place.setdefault(key, {})
            place[keys[-1]] = json.loads(re.sub(r"(\w+):", r'"\1":', value) if value.startswith("{") else value)
        json.dump(agent, open("agent.json", "w"))
        END
        }
        trap 'kill $(jobs -p) 2>/dev/null || true' EXIT

        """;

    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(120);

    [Fact]
    public async Task The_document_says_what_really_happens()
    {
        using SemaphoreSlim turns = new(AtATime);
        (string Title, (FailureCase Case, int ExitCode, string Said)[] Outcomes)[] chapters = await Task.WhenAll(FailureCase.All.Select(async chapter =>
            (chapter.Title, await Task.WhenAll(chapter.Cases.Select(one => RunAsync(one, turns))))));
        Assert.All(chapters.SelectMany(chapter => chapter.Outcomes), outcome =>
        {
            Assert.True(outcome.Case.ExitCode == outcome.ExitCode, $"{outcome.Case.What}: {outcome.Case.Command}: {outcome.ExitCode}, not {outcome.Case.ExitCode}: {outcome.Said}");
            Assert.NotEqual("", outcome.Said);
            Assert.DoesNotContain("Exception", outcome.Said, StringComparison.Ordinal);
            Assert.DoesNotContain("   at ", outcome.Said, StringComparison.Ordinal);
        });

        string document = SourceTree.Read(Document);
        int begin = document.IndexOf(Begin, StringComparison.Ordinal) + Begin.Length;
        Assert.True(begin >= Begin.Length, $"{Document} has lost its marker: {Begin}");
        string printed = Print(chapters);
        if (Environment.GetEnvironmentVariable(Switch) == "1")
        {
            File.WriteAllText(Path.Combine(SourceTree.Root, Document), document[..begin] + printed);
            return;
        }

        string[] difference = [.. printed.Split('\n').Except(document[begin..].Split('\n'), StringComparer.Ordinal)];
        Assert.True(document[begin..] == printed, $"""
            {Document} is not what happens. Print it anew and read the difference:
            {Switch}=1 dotnet run --project test/Tcpcp.EndToEnd.Tests -- -class {typeof(FailureTests).FullName}
            {string.Join('\n', difference)}
            """);
    }

    private static async Task<(FailureCase Case, int ExitCode, string Said)> RunAsync(FailureCase one, SemaphoreSlim turns)
    {
        await turns.WaitAsync();
        try
        {
            // "setsid tcpcp" runs a program, not the shell's function.
            string command = one.Command.Replace("setsid -w tcpcp", "setsid -w \"$TCPCP\"", StringComparison.Ordinal);
            string script = $"{Shell}{one.Prepare}\nset +e\nexec 3>&2 2>/srv/said\n{command} </dev/null\ncode=$?\necho ---said >&3; cat /srv/said >&3\nexit $code";
            await using ChildProcess process = ChildProcess.Start("unshare", ["-m", "-n", "bash", "-c", script],
                new ChildOptions { Environment = new Dictionary<string, string>(StringComparer.Ordinal) 
                {
                    ["TCPCP"] = Command.Path, ["OLD_KERNEL"] = Path.Combine(SourceTree.Root, "test/Tcpcp.EndToEnd.Tests/Failures/old_kernel.py"),
                } });
            int exitCode = await process.Exit.WaitAsync(s_limit);
            string error = await process.ErrorOutput!.Completed.WaitAsync(s_limit);
            int mark = error.IndexOf("---said\n", StringComparison.Ordinal);
            Assert.True(mark >= 0, $"{one.What}: {one.Command}: it was not prepared: {exitCode}: {error}{await process.Output!.Completed}");
            return (one, exitCode, Normalize(error[(mark + "---said\n".Length)..]));
        }
        finally
        {
            turns.Release();
        }
    }

    // What differs from run to run.
    private static string Normalize(string said) => Blank().Replace(Guid().Replace(Count().Replace(said, "N "), "…"), " ").Trim()
        .Replace($" at {Environment.MachineName} ", " at HOST ", StringComparison.Ordinal);

    private static string Print((string Title, (FailureCase Case, int ExitCode, string Said)[] Outcomes)[] chapters)
    {
        StringBuilder text = new();
        foreach ((string title, (FailureCase Case, int ExitCode, string Said)[] outcomes) in chapters)
        {
            text.Append(CultureInfo.InvariantCulture, $"\n## {title}\n\n| what is wrong | command | exit code | it says |\n|---|---|---|---|\n");
            foreach ((FailureCase one, int exitCode, string said) in outcomes)
                text.Append(CultureInfo.InvariantCulture, $"| {one.What} | `{one.Command}` | {exitCode} | {said.Replace("|", "\\|", StringComparison.Ordinal).Replace("<", "&lt;", StringComparison.Ordinal)} |\n");
        }

        return text.ToString();
    }

    [GeneratedRegex("[0-9a-f]{32}", RegexOptions.ExplicitCapture, 10_000)]
    private static partial Regex Guid();

    [GeneratedRegex("[0-9]+ (?=may not be read|bytes are missing)", RegexOptions.ExplicitCapture, 10_000)]
    private static partial Regex Count();

    [GeneratedRegex(@"\s+", RegexOptions.ExplicitCapture, 10_000)]
    private static partial Regex Blank();
}
