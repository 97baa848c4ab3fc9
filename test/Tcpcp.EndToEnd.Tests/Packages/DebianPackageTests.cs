namespace Tcpcp.EndToEnd.Tests.Packages;

/// <summary>The Debian package, installed by dpkg on a root that nobody else sees: what is written lies over this machine's own root, and goes with the namespace.</summary>
public sealed class DebianPackageTests(BuiltPackages packages)
{
    private const string Install = SystemdHosts.Roots + """
        root one
        inside one getent group tcpcp && inside one groupdel tcpcp
        rm -f one/root/tcpcp.deb; (cd one/upper; find . -type f ! -path './etc/*' | sort) >before; cp "$package" one/root/tcpcp.deb
        install_package one
        inside one tcpcp --version
        inside one getent group tcpcp
        echo -- the command, its pages, its units, its completions
        inside one tcpcp cert authority --out /tmp/authority
        inside one man --warnings --pager=cat tcpcp tcpcp-dump tcpcp-agent tcpcp-relay 2>warnings >pages
        cat warnings; [ ! -s warnings ]
        grep -q 'dump <CONNECTION>' pages; grep -q -- '--passphrase-file <FILE>' pages; grep -q 'Runs the agent of this host' pages
        for command in $(inside one tcpcp --help | sed -n '/^Commands:/,$s/^  \([a-z][a-z]*\).*/\1/p'); do ls one/root/usr/share/man/man[18]/tcpcp-$command.[18].gz >/dev/null; done
        inside one systemd-analyze verify /usr/lib/systemd/system/tcpcp-agent.service 2>&1 | tee verified; [ ! -s verified ]
        inside one systemd-analyze verify /usr/lib/systemd/system/tcpcp-relay.service 2>&1 | tee verified; [ ! -s verified ]
        inside one systemd-analyze verify tcpcp-receive@x.service 2>&1 | tee verified; [ ! -s verified ]
        inside one bash -c 'source /usr/share/bash-completion/completions/tcpcp; complete -p tcpcp'
        echo -- the example can be used as it is, but for the certificates and the interface
        inside one tcpcp cert host host-a --authority /tmp/authority --out /etc/tcpcp >/dev/null
        inside one tcpcp agent --check --config /etc/tcpcp/agent.json.example
        rm -r one/root/etc/tcpcp/host-a.* one/root/etc/tcpcp/authority.pem one/root/tmp/authority
        echo -- what is configured stays when it is removed, and goes when it is purged
        inside one dpkg --verify tcpcp
        inside one dpkg --no-triggers --remove tcpcp
        ! inside one sh -c 'command -v tcpcp'
        [ "$(cd one/root/etc/tcpcp; find . -type f | sort | xargs)" = "./agent.json.example ./relay.json.example" ]
        inside one dpkg --no-triggers --purge tcpcp
        [ ! -e one/root/etc/tcpcp ]
        ! inside one getent group tcpcp
        # What dpkg, ldconfig and groupadd write about themselves stays.
        (cd one/upper; find . -type f ! -path './var/*' ! -path './run/*' ! -name '*-' ! -name '.pwd.lock' ! -path ./etc/group ! -path ./etc/gshadow ! -path ./etc/ld.so.cache | sort) >after
        diff before after
        echo -- done
        """;

    private const string Pass = """"
        for host in hosts:
            host.do("dpkg --no-triggers --path-include='/usr/share/*' --install /root/tcpcp_*.deb")
        a.do("tcpcp cert authority --out /mnt/authority")
        for host, name, other, number in ((a, "a", "b", 1), (b, "b", "a", 2)):
            host.do(f"tcpcp cert host host-{name} --authority /mnt/authority --out /etc/tcpcp")
            host.do(f"""cat >/etc/tcpcp/agent.json <<'END'
        {{ "name": "host-{name}", "interface": "host0", "listen": "10.9.0.{number}:7300", "redirection": "forward",
          "certificate": {{ "file": "/etc/tcpcp/host-{name}.pem", "key": "/etc/tcpcp/host-{name}.key", "authority": "/etc/tcpcp/authority.pem" }},
          "destinations": {{ "host-{other}": {{ "address": "10.9.0.{3 - number}:7300" }} }},
          "policy": [ {{ "origin": "host-{other}", "applications": "*", "addresses": "*", "ports": "*" }} ] }}
        END
        systemctl start tcpcp-agent
        # A program of the group, and of no rights else; it passes by itself when it is told to.
        mkfifo /service; (while :; do sleep 60; done) >/service &
        setpriv --reuid 65534 --regid "$(getent group tcpcp | cut -d : -f 3)" --clear-groups --inh-caps=-all --no-new-privs \\
            python3 -B /usr/share/doc/tcpcp/examples/echo.py /run/tcpcp/agent.sock 0.0.0.0 8080 </service >/dev/null 2>&1 &""")
        for host in hosts:
            host.do("until tcpcp status | grep -q 'echo.*process' && tcpcp status | grep -q connected,; do sleep 0.05; done; systemctl reload tcpcp-agent")
        peer = socket.create_connection(("10.9.0.100", 8080), timeout=30)
        def exchange(text):
            peer.sendall(text)
            assert peer.recv(100) == text
        exchange(b"at the first host")
        a.do("echo pass host-b >/service; until tcpcp status | grep -q '1 out,'; do sleep 0.05; done")
        exchange(b"at the second host")
        b.do("echo pass host-a >/service; until tcpcp status | grep -q '1 out,'; do sleep 0.05; done")
        exchange(b"at the first host again")
        for host in hosts:
            host.do("systemctl restart tcpcp-agent; systemctl stop tcpcp-agent")
            print(host.do("systemctl show --property Result tcpcp-agent; journalctl --no-pager --output cat --unit tcpcp-agent"))
        """";

    [Fact]
    public async Task It_is_installed_answers_and_leaves_nothing_behind()
    {
        (int exitCode, string said) = await RunAsync(Install);
        Assert.True(exitCode == 0, said);
        Assert.EndsWith("-- done\n", said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Agents_under_systemd_pass_a_connection_with_all_that_their_unit_forbids()
    {
        (int exitCode, string said) = await SystemdHosts.RunAsync(await packages.DebianAsync(), Pass);
        Assert.True(exitCode == 0, said);
        Assert.Equal(2, said.Split("Result=success").Length - 1);
        Assert.Contains("Packets are switched by Bpf.", said, StringComparison.Ordinal);
        Assert.Equal(2, said.Split(": passed to host-").Length - 1);
    }

    private async Task<(int ExitCode, string Said)> RunAsync(string script)
    {
        (int exitCode, string output, string error) = await Command.RunProgramAsync("unshare", "-m", "-n", "bash", "-c", script, "bash", await packages.DebianAsync());
        return (exitCode, $"{error}{output}");
    }
}
