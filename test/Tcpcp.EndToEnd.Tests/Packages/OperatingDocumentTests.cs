using Tcpcp.Core.Tests.Architecture;

namespace Tcpcp.EndToEnd.Tests.Packages;

/// <summary>docs/operating.md is run from its first command to its last, on two hosts with the package.</summary>
public sealed class OperatingDocumentTests(BuiltPackages packages)
{
    private const string Document = "docs/operating.md";

    // A line of a block "console" is a command ("HOST# ..."), a part of one (up to END), or what it says; "..." stands for anything.
    private const string Reader = """"
        commands = []
        inside = False
        for line in document.split("\n"):
            text = line.strip()
            test = re.fullmatch("<!-- test: (.*) -->", text)
            if test:
                commands.append([test[1], None])
            elif text == "```console":
                inside, indent = True, len(line) - len(line.lstrip())
            elif text == "```":
                inside = False
            elif inside and re.match(r"(admin|host-a|host-b)# ", text):
                commands.append([text, []])
            elif inside and "<<END" in commands[-1][0] and not commands[-1][0].endswith("\nEND"):
                commands[-1][0] += "\n" + line[indent:]
            elif inside:
                commands[-1][1].append(text)
        assert len(commands) > 25, commands

        def matches(said, expected):
            if not expected:
                return not said
            if expected[0] == "...":
                return any(matches(said[at:], expected[1:]) for at in range(len(said) + 1))
            pattern = ".*".join(re.escape(part) for part in re.sub(r"\s+", " ", expected[0]).split("..."))
            return bool(said) and re.fullmatch(pattern, said[0]) is not None and matches(said[1:], expected[1:])

        # The service of the example, on both hosts, and a peer that reads slowly.
        def start_service():
            global peer
            for host in hosts:
                host.do("""head -c 30000000 /dev/zero >/srv/file
        (while :; do sleep 60; done) | setpriv --regid "$(getent group tcpcp | cut -d : -f 3)" --clear-groups tcpcp demo-server --listen 0.0.0.0:8080 --root /srv >/dev/null 2>&1 &
        until tcpcp status | grep -q file-server && tcpcp status | grep -q connected,; do sleep 0.05; done""")
            peer = socket.socket()
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 100000)
            peer.settimeout(30)
            peer.connect(("10.9.0.100", 8080))
            peer.sendall(b"GET /file HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

        for command, expected in commands:
            if command == "the service":
                start_service()
                continue
            where, order = command.split("# ", 1)
            if where == "admin":
                done = subprocess.run(["chroot", "admin/root", "bash", "-c", "cd /root; " + order], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                code, said = done.returncode, done.stdout
            else:
                code, said = (a if where == "host-a" else b).run(order)
            assert code == 0, f"{command}: {code}: {said}"
            lines = [re.sub(r"\s+", " ", line).strip() for line in said.split("\n")]
            assert expected is None or matches([line for line in lines if line], expected), f"{command}\nsays\n{said}\nand not\n" + "\n".join(expected)

        size = 0
        while piece := peer.recv(1000000):
            size += len(piece)
        assert size > 30000000, size
        print("-- all is as it is written")
        """";

    [Fact]
    public async Task Every_command_says_what_is_written()
    {
        string text = Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(SourceTree.Read(Document)));
        (int exitCode, string said) = await SystemdHosts.RunAsync(await packages.DebianAsync(), $"import base64\ndocument = base64.b64decode('{text}').decode()\n{Reader}");
        Assert.True(exitCode == 0, said);
        Assert.Contains("-- all is as it is written", said, StringComparison.Ordinal);
    }
}
