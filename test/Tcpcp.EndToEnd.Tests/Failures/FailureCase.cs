namespace Tcpcp.EndToEnd.Tests.Failures;

/// <summary>A command and what is missing for it.</summary>
/// <param name="What">What is wrong, for people.</param>
/// <param name="Prepare">Lines of shell that make it so, in a network and a mount namespace of their own and an empty directory, /srv.</param>
/// <param name="Command">What is run then, as a user would write it.</param>
/// <param name="ExitCode">The one that is documented for it.</param>
internal sealed record FailureCase(string What, string Prepare, string Command, int ExitCode)
{
    private const string Connection = "127.0.0.1:7000-127.0.0.1:51514";
    private const string Connect = "connect";
    private const string Dumped = "connect; tcpcp dump $connection -o session.tcpcp $key >/dev/null; disconnect";
    private const string Released = "connect; tcpcp dump $connection -o session.tcpcp --release $key >/dev/null; disconnect";
    private const string Key = "head -c 32 /dev/zero >key; key='--key-file key'; ";
    private const string Bare = "bare=1";
    private const string FullDisk = "mkdir full; mount -t tmpfs -o size=4k tmpfs full; head -c 4096 /dev/zero >full/rest";
    private const string ReadOnly = "mkdir locked; mount -t tmpfs -o ro tmpfs locked";
    private const string NoTun = "mkdir empty; mount --bind empty /dev/net";
    private const string NoLibrary = "touch empty; for file in /usr/lib/*/libnftables.so.1*; do mount --bind empty $file; done";
    private const string Check = "tcpcp agent --check --config agent.json";
    private const string Run = "tcpcp agent --config agent.json";

    /// <summary>By what the user wants to do.</summary>
    public static IReadOnlyList<(string Title, IReadOnlyList<FailureCase> Cases)> All { get; } =
    [
        ("Look at a host and its connections",
        [
            new("There is no such connection", "", $"tcpcp show {Connection}", 1),
            new("There is no such process", "", "tcpcp show pid:99999999/3", 1),
            new("There is no such process", "", "tcpcp list --pid 99999999", 1),
            new("The name is none of a connection", "", "tcpcp show 127.0.0.1:7000", 2),
            new("A state that there is not", "", "tcpcp list --state open", 2),
            new("A shell that there is not", "", "tcpcp completions csh", 2),
            new("No capability", Bare, "tcpcp doctor --clean", 1),
            new("Standard output cannot be written", "", "tcpcp list --json >/dev/full", 1),
        ]),
        ("Save a connection and revive it",
        [
            new("There is no such connection", "", $"tcpcp dump {Connection} -o session.tcpcp", 1),
            new("No capability", $"{Connect}; {Bare}", $"tcpcp dump {Connection} -o session.tcpcp", 1),
            new("The file is there already", $"{Connect}; touch session.tcpcp", $"tcpcp dump {Connection} -o session.tcpcp", 2),
            new("The directory is not there", Connect, $"tcpcp dump {Connection} -o nowhere/session.tcpcp", 1),
            new("The disk is full", $"{Connect}; {FullDisk}", $"tcpcp dump {Connection} -o full/session.tcpcp --release", 1),
            new("The file system is read-only", $"{Connect}; {ReadOnly}", $"tcpcp dump {Connection} -o locked/session.tcpcp", 1),
            new("libnftables is not installed", $"{Connect}; {NoLibrary}", $"tcpcp dump {Connection} -o session.tcpcp", 1),
            new("The kernel is older than Linux 5.6", $"{Connect}; old_linux 5.5", $"tcpcp dump {Connection} -o session.tcpcp", 1),
            new("The passphrase is empty", $"{Connect}; echo >passphrase", $"tcpcp dump {Connection} -o session.tcpcp --passphrase-file passphrase", 2),
            new("The key is none", $"{Connect}; echo key >key", $"tcpcp dump {Connection} -o session.tcpcp --key-file key", 2),
            new("There is no terminal to ask at", "", "setsid -w tcpcp restore session.tcpcp --passphrase -- cat", 2),
            new("There is no file", "", "tcpcp restore session.tcpcp -- cat", 2),
            new("The file may not be read", $"{Dumped}; chown 1 session.tcpcp; {Bare}", "tcpcp restore session.tcpcp -- cat", 1),
            new("The file is something else", "echo something else >session.tcpcp", "tcpcp restore session.tcpcp -- cat", 2),
            new("The file was cut", $"{Released}; truncate -s 100 session.tcpcp", "tcpcp restore session.tcpcp -- cat", 2),
            new("The file was changed", $"{Released}; printf x | dd of=session.tcpcp bs=1 seek=90 conv=notrunc status=none", "tcpcp restore session.tcpcp -- cat", 2),
            new("The file is of a copy", Dumped, "tcpcp restore session.tcpcp -- cat", 2),
            new("The file was used", $"{Released}; mv session.tcpcp session.tcpcp.used", "tcpcp restore session.tcpcp -- cat", 2),
            new("The key is missing", $"{Key}{Released}", "tcpcp restore session.tcpcp -- cat", 2),
            new("The key is another one", $"{Key}{Released}; head -c 32 /dev/urandom >key", "tcpcp restore session.tcpcp --key-file key -- cat", 2),
            new("A key that is not needed", $"{Released}; head -c 32 /dev/zero >key", "tcpcp restore session.tcpcp --key-file key -- cat", 2),
            new("The address is not here", $"{Released}; ip address del 127.0.0.1/8 dev lo", "tcpcp restore session.tcpcp -- cat", 1),
            new("There is no such program", Released, "tcpcp restore session.tcpcp -- nothing", 2),
            new("The original is alive", $"{Connect}; tcpcp dump $connection -o session.tcpcp >/dev/null", "tcpcp restore session.tcpcp --force -- cat", 1),
            new("No capability", $"{Released}; {Bare}", "tcpcp restore session.tcpcp -- cat", 1),
            new("The kernel is older than Linux 4.8", $"{Released}; old_linux 4.7", "tcpcp restore session.tcpcp -- cat", 1),
        ]),
        ("Certificates",
        [
            new("There is no authority", "", "tcpcp cert host host-a --authority authority --out host", 1),
            new("The authority's key is none", "tcpcp cert authority --out authority >/dev/null; echo >authority/authority.key", "tcpcp cert host host-a --authority authority --out host", 1),
            new("They are there already", "tcpcp cert authority --out authority >/dev/null", "tcpcp cert authority --out authority", 2),
            new("The disk is full", FullDisk, "tcpcp cert authority --out full/authority", 1),
            new("The directory may not be written", $"mkdir authority; chown 1 authority; {Bare}", "tcpcp cert authority --out authority", 1),
            new("The name is none of a host", "", "tcpcp cert host 192.0.2.1 --authority authority --out host", 2),
        ]),
        ("Run an agent",
        [
            new("There is no configuration", "", Run, 2),
            new("It is no JSON", "echo name: host-a >agent.json", Check, 2),
            new("A key that there is not", "configure '.names = 1'", Check, 2),
            new("A value that makes no sense", "configure '.bounds.hold = \"soon\"'", Check, 2),
            new("There is no such group", "configure '.local[\"applications-group\"] = \"nobodys\"'", Check, 2),
            new("There is no certificate", "configure .; rm host-a.pem", Check, 2),
            new("The key may not be read", $"configure .; chown 1 host-a.key; {Bare}", Check, 2),
            new("The key is of another certificate", "configure .; mv host-a.key other.key; tcpcp cert host host-a --authority . --out . --force >/dev/null; mv other.key host-a.key", Check, 2),
            new("The certificate is of another host", "configure '.name = \"host-b\"'", Check, 2),
            new("The hook is not there", "configure '.redirection = \"hook\" | .hook = { command: \"/srv/move\" }'", Check, 2),
            new("The redirectors' section is missing", "configure '.redirection = \"gateway\"'", Check, 2),
            new("No capability", $"configure .; {Bare}", Run, 1),
            new("There is no such interface", "configure '.interface = \"eth7\"'", Run, 1),
            new("The address is not here", "configure '.listen = \"192.0.2.77:7300\"'", Run, 1),
            new("The address is in use", "configure .; listen 7300", Run, 1),
            new("The journal's file system is read-only", $"configure '.journal = \"/srv/locked/journal\"'; {ReadOnly}", Run, 1),
            new("The journal's file system is full", $"configure '.journal = \"/srv/full\"'; {FullDisk}", Run, 1),
            new("Another agent has the journal", "configure .; mkdir journal; lock journal/journal.lock", Run, 1),
            new("The local socket's directory is not there", "configure '.local.socket = \"/srv/run/agent.sock\"'", Run, 1),
            new("There is something else where its socket is to be", "configure .; echo precious >agent.sock", Run, 1),
            new("There is no /dev/net/tun, and nothing else is to be taken", $"configure '.hold = \"tap\"'; {NoTun}", Run, 1),
            new("There is no BPF file system, and nothing else is to be taken", "configure '.[\"packet-switch\"] = \"bpf\"'; umount -a -t bpf", Run, 1),
            new("libnftables is not installed", $"configure .; {NoLibrary}", Run, 1),
            new("The kernel is older than Linux 4.8", "configure .; old_linux 4.7", Run, 1),
            new("The kernel is older than Linux 6.6, and nothing but BPF is to be taken", "configure '.[\"packet-switch\"] = \"bpf\"'; mount -t bpf bpf /sys/fs/bpf; old_linux 6.5", Run, 1),
        ]),
        ("Pass connections",
        [
            new("No agent runs", "", "tcpcp status --agent agent.sock", 1),
            new("The agent has died", "leave agent.sock", "tcpcp drain --to host-b --agent agent.sock", 1),
            new("The user may not use the agent", $"serve agent.sock; chown 1 agent.sock; chmod 600 agent.sock; {Bare}", "tcpcp resolve --agent agent.sock", 1),
            new("It is no agent's socket", "touch agent.sock", "tcpcp pass pid:1/3 --to host-b --agent agent.sock", 1),
            new("The name is none of a connection", "", "tcpcp pass everything --to host-b", 2),
            new("There is no such program", "", "tcpcp receive echo -- nothing", 2),
            new("No way to settle is said", "", "tcpcp resolve 5f0c2a", 2),
        ]),
        ("Judge a capture, see the demo",
        [
            new("There is no capture", "", "tcpcp check peer.pcap --peer 192.0.2.9", 2),
            new("It is no capture", "echo something else >peer.pcap", "tcpcp check peer.pcap --peer 192.0.2.9", 2),
            new("The peer is not said", "touch peer.pcap", "tcpcp check peer.pcap", 2),
            new("It may not be read", $"touch peer.pcap; chown 1 peer.pcap; chmod 600 peer.pcap; {Bare}", "tcpcp check peer.pcap --peer 192.0.2.9", 2),
            new("More is lost than may be", "", "tcpcp demo --loss 50", 2),
        ]),
    ];
}
