using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Tcpcp.EndToEnd.Tests.Agents;
using Tcpcp.Linux.Processes;

namespace Tcpcp.EndToEnd.Tests.Relays;

/// <summary>Real clients and real servers, unchanged: their sessions go to another host and back in the middle of their work, and neither end notices.</summary>
[Collection(HeavyTests.Name)]
public sealed class RealClientTests(LabCertificates certificates)
{
    private const int ServerPort = 9000;
    private const int Some = 1_000_000; // bytes that say that the work goes on

    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(120);

    [Fact]
    public async Task Curl_gets_a_file_of_nginx_over_HTTPS()
    {
        const int Bytes = 300_000_000;
        await using RelayLab lab = await StartAsync();
        string directory = lab.Agents.DirectoryPath;
        string sum = await WriteFileAsync(Path.Combine(directory, "file"), Bytes);
        await RunAsync("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=files.example.net", "-keyout", $"{directory}/nginx.key", "-out", $"{directory}/nginx.pem");
        await File.WriteAllTextAsync(Path.Combine(directory, "nginx.conf"), $$"""
            user root; daemon off; worker_processes 1; pid {{directory}}/nginx.pid; error_log stderr;
            events { }
            http {
              access_log off; client_body_temp_path {{directory}}/body; proxy_temp_path {{directory}}/proxy; fastcgi_temp_path {{directory}}/fastcgi;
              uwsgi_temp_path {{directory}}/uwsgi; scgi_temp_path {{directory}}/scgi;
              server { listen {{Server(lab)}} ssl; ssl_certificate nginx.pem; ssl_certificate_key nginx.key; root {{directory}}; }
            }
            """);
        lab.ServerHost.Start("nginx", ["-c", $"{directory}/nginx.conf"]);
        await UntilListeningAsync(lab);
        await using ChildProcess curl = ClientShell(lab, $"curl -sS --fail --insecure --limit-rate 30M https://{lab.Service}/file | sha256sum");
        await PassInTheMiddleAsync(lab, 1, "bytes_to_client");
        Assert.StartsWith(sum, await OutputAsync(curl), StringComparison.OrdinalIgnoreCase);
        await AssertNothingWasNoticedAsync(lab);
    }

    [Fact]
    public async Task Redis_cli_monitors_and_writes_in_a_pipeline()
    {
        const int Turns = 3, Each = 5000;
        await using RelayLab lab = await StartAsync();
        lab.ServerHost.Start("redis-server", ["--bind", $"{lab.ServerAddress}", "--port", $"{ServerPort}", "--save", "", "--protected-mode", "no", "--dir", lab.Agents.DirectoryPath]);
        await UntilListeningAsync(lab);
        string to = $"-h {lab.Service.Address} -p {lab.Service.Port}";
        await using ChildProcess monitor = ClientShell(lab, $"redis-cli {to} MONITOR");
        await monitor.Output!.WaitForAsync("OK", s_limit);
        await using ChildProcess writer = ClientShell(lab, $"redis-cli {to} --pipe", ChildInput.Pipe);
        for (int turn = 0; turn < Turns; turn++)
        {
            StringBuilder commands = new();
            for (int i = 0; i < Each; i++)
                commands.Append(CultureInfo.InvariantCulture, $"SET key-{(turn * Each) + i} value\r\n");
            await WriteAsync(writer, commands.ToString());
            await monitor.Output.WaitForAsync($"\"key-{((turn + 1) * Each) - 1}\"", s_limit);
            if (turn < Turns - 1)
                Assert.Equal(2, (await lab.DrainAsync(turn == 0 ? lab.A : lab.B)).Count);
        }

        await writer.Input!.DisposeAsync();
        Assert.Contains($"errors: 0, replies: {Turns * Each}", await OutputAsync(writer), StringComparison.Ordinal);
        string[] seen = [.. monitor.Output.Text.Split('\n').Where(line => line.Contains("\"SET\"", StringComparison.Ordinal)).Select(line => line.Split('"')[3])];
        Assert.Equal(Enumerable.Range(0, Turns * Each).Select(i => $"key-{i}"), seen);
        await monitor.DisposeAsync();
        await AssertNothingWasNoticedAsync(lab);
    }

    [Fact]
    public async Task Ssh_has_a_shell_open_and_scp_copies_a_file()
    {
        const int Bytes = 100_000_000;
        await using RelayLab lab = await StartAsync();
        string directory = lab.Agents.DirectoryPath;
        string sum = await WriteFileAsync(Path.Combine(directory, "file"), Bytes);
        await RunAsync("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", $"{directory}/host-key");
        await RunAsync("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", $"{directory}/user-key");
        await File.WriteAllTextAsync($"{directory}/sshd.conf", $"""
            ListenAddress {lab.ServerAddress}
            Port {ServerPort}
            HostKey {directory}/host-key
            AuthorizedKeysFile {directory}/user-key.pub
            PermitRootLogin yes
            StrictModes no
            UsePAM no
            PidFile none
            Subsystem sftp internal-sftp
            """);
        lab.ServerHost.Run(() => Directory.CreateDirectory("/run/sshd"));
        lab.ServerHost.Start("/usr/sbin/sshd", ["-D", "-e", "-f", $"{directory}/sshd.conf"]);
        await UntilListeningAsync(lab);
        string options = $"-i {directory}/user-key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR";
        await using ChildProcess shell = ClientShell(lab, $"ssh -tt {options} -p {lab.Service.Port} root@{lab.Service.Address}", ChildInput.Pipe);
        await SayAsync("$((40 + 2))", "=42=");
        await using ChildProcess copy = ClientShell(lab, $"scp {options} -l 160000 -P {lab.Service.Port} root@{lab.Service.Address}:{directory}/file {directory}/copy");
        await PassInTheMiddleAsync(lab, 2, "bytes_to_client", () => SayAsync("$((50 + 3))", "=53="));
        await SayAsync("$((60 + 4))", "=64=");
        await OutputAsync(copy);
        await using (FileStream file = File.OpenRead($"{directory}/copy"))
            Assert.Equal(sum, Convert.ToHexString(await SHA256.HashDataAsync(file)));
        await WriteAsync(shell, "exit\n");
        Assert.Equal(0, await shell.Exit.WaitAsync(s_limit));
        await AssertNothingWasNoticedAsync(lab, dscpMayChange: true);

        async Task SayAsync(string expression, string answer)
        {
            await WriteAsync(shell, $"echo ={expression}=\n");
            await shell.Output!.WaitForAsync(answer, s_limit);
        }
    }

    [Fact]
    public async Task Psql_copies_in_and_out_in_a_transaction()
    {
        const int Rows = 300_000;
        await using RelayLab lab = await StartAsync();
        string data = $"{lab.Agents.DirectoryPath}/data";
        string programs = Directory.GetDirectories("/usr/lib/postgresql").Order(StringComparer.Ordinal).Last() + "/bin";
        File.SetUnixFileMode(lab.Agents.DirectoryPath, (UnixFileMode)0b111_101_101);
        await RunAsync("install", "-d", "-o", "postgres", "-g", "postgres", "-m", "0700", data);
        string[] asPostgres = ["--reuid", "postgres", "--regid", "postgres", "--init-groups"];
        await RunAsync("setpriv", [.. asPostgres, $"{programs}/initdb", "-D", data, "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"]);
        await File.AppendAllTextAsync($"{data}/pg_hba.conf", "host all all all trust\n");
        lab.ServerHost.Start("setpriv", [.. asPostgres, $"{programs}/postgres", "-D", data, "-h", $"{lab.ServerAddress}", "-p", $"{ServerPort}", "-k", data, "-F"]);
        await UntilListeningAsync(lab);
        string psql = $"psql -X -q -A -t -v ON_ERROR_STOP=1 -h {lab.Service.Address} -p {lab.Service.Port} -U postgres postgres";
        await Eventually.True(async () =>
        {
            await using ChildProcess ready = ClientShell(lab, $"{psql} -c 'SELECT 1'");
            return await ready.Exit.WaitAsync(s_limit) == 0;
        });
        await Eventually.True(async () => await lab.A.SessionsAsync(RelayLab.Listener) == 0);

        await using ChildProcess writer = ClientShell(lab, psql, ChildInput.Pipe);
        await WriteAsync(writer, "CREATE TABLE t (i int, s text);\nBEGIN;\nSELECT 'begun';\nCOPY t FROM STDIN;\n");
        await writer.Output!.WaitForAsync("begun", s_limit);
        for (int turn = 0; turn < 3; turn++)
        {
            StringBuilder rows = new();
            for (int i = turn * Rows / 3; i < (turn + 1) * Rows / 3; i++)
                rows.Append(CultureInfo.InvariantCulture, $"{i}\tthe row {i}\n");
            Task writing = WriteAsync(writer, rows.ToString());
            if (turn < 2)
                Assert.Single(await lab.DrainAsync(turn == 0 ? lab.A : lab.B));
            await writing;
        }

        await WriteAsync(writer, "\\.\nSELECT count(*), sum(i), sum(length(s)) FROM t;\nCOMMIT;\n");
        await writer.Input!.DisposeAsync();
        long letters = Enumerable.Range(0, Rows).Sum(i => (long)$"the row {i}".Length);
        Assert.Contains(string.Create(CultureInfo.InvariantCulture, $"{Rows}|{(long)Rows * (Rows - 1) / 2}|{letters}"), await OutputAsync(writer), StringComparison.Ordinal);
        await Eventually.True(async () => await lab.A.SessionsAsync(RelayLab.Listener) == 0);

        await using ChildProcess reader = ClientShell(lab, $"{psql} -c \"COPY (SELECT i, s, CASE WHEN i % 1000 = 0 THEN pg_sleep(0.02) END FROM t ORDER BY i) TO STDOUT (NULL '')\" | sha256sum");
        await PassInTheMiddleAsync(lab, 1, "bytes_to_client");
        StringBuilder all = new();
        for (int i = 0; i < Rows; i++)
            all.Append(CultureInfo.InvariantCulture, $"{i}\tthe row {i}\t\n");
        Assert.StartsWith(Convert.ToHexString(SHA256.HashData(Encoding.ASCII.GetBytes(all.ToString()))), await OutputAsync(reader), StringComparison.OrdinalIgnoreCase);
        await AssertNothingWasNoticedAsync(lab);
    }

    [Fact]
    public async Task Iperf3_measures_both_ways()
    {
        await using RelayLab lab = await StartAsync();
        lab.ServerHost.Start("iperf3", ["-s", "-B", $"{lab.ServerAddress}", "-p", $"{ServerPort}"]);
        await UntilListeningAsync(lab);
        await using ChildProcess iperf = ClientShell(lab, $"iperf3 -c {lab.Service.Address} -p {lab.Service.Port} --bidir -t 15 -b 100M --json");
        await PassInTheMiddleAsync(lab, 3, "bytes_to_client");
        JsonElement end = JsonDocument.Parse(await OutputAsync(iperf)).RootElement.GetProperty("end");
        foreach (string sum in (string[])["sum_received", "sum_received_bidir_reverse"])
            Assert.InRange(end.GetProperty(sum).GetProperty("bytes").GetInt64(), 100L * Some, long.MaxValue);

        // At its end iperf3 closes what it has not read all of: its kernel resets that connection, and the relay the server's.
        await Eventually.True(async () => await lab.A.SessionsAsync(RelayLab.Listener) == 0);
        int resetByClient = lab.A.Log.Split(": client-reset;").Length - 1;
        await lab.Agents.AssertNothingIsLeftAsync();
        AgentLab.AssertClean(await lab.Agents.JudgeAsync());
        IReadOnlyList<Check.ConnectionReport> atServer = await lab.JudgeServerAsync();
        Assert.All(atServer.SelectMany(report => report.Findings), finding => Assert.StartsWith("RST ", finding.Message, StringComparison.Ordinal));
        Assert.InRange(atServer.Sum(report => report.ServiceResets), 0, resetByClient);
    }

    [Fact]
    public async Task Mosquitto_loses_and_doubles_no_message_of_QoS_2()
    {
        const int Turns = 3, Each = 300;
        await using RelayLab lab = await StartAsync();
        string directory = lab.Agents.DirectoryPath;
        await File.WriteAllTextAsync($"{directory}/mosquitto.conf",
            $"listener {ServerPort} {lab.ServerAddress}\nallow_anonymous true\nuser root\nmax_queued_messages 0\nmax_inflight_messages 20\nset_tcp_nodelay true\n");
        lab.ServerHost.Start("mosquitto", ["-c", $"{directory}/mosquitto.conf"]);
        await UntilListeningAsync(lab);
        string to = $"-h {lab.Service.Address} -p {lab.Service.Port} -t topic -q 2";
        await using ChildProcess subscriber = ClientShell(lab, $"stdbuf -oL mosquitto_sub {to} -C {Turns * Each}");
        await Eventually.True(async () => (await lab.A.RowAsync("listener", RelayLab.Listener)).GetProperty("bytes_to_client").GetInt64() >= 9); // CONNACK and SUBACK
        await using ChildProcess publisher = ClientShell(lab, $"mosquitto_pub {to} -l", ChildInput.Pipe);
        for (int turn = 0; turn < Turns; turn++)
        {
            await WriteAsync(publisher, string.Concat(Enumerable.Range(turn * Each, Each).Select(i => $"message {i}\n")));
            await subscriber.Output!.WaitForAsync($"message {(turn * Each) + 10}\n", s_limit);
            if (turn < Turns - 1)
                Assert.Equal(2, (await lab.DrainAsync(turn == 0 ? lab.A : lab.B)).Count);
        }

        await publisher.Input!.DisposeAsync();
        await OutputAsync(publisher);
        string[] heard = (await OutputAsync(subscriber)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(Enumerable.Range(0, Turns * Each).Select(i => $"message {i}"), heard);
        await AssertNothingWasNoticedAsync(lab);
    }

    private Task<RelayLab> StartAsync() => RelayLab.StartAsync(certificates, configure: lab => lab.Serve(Server(lab)));

    private static IPEndPoint Server(RelayLab lab) => new(lab.ServerAddress, ServerPort);

    private static Task UntilListeningAsync(RelayLab lab) => lab.UntilListeningAsync(ServerPort);

    private static ChildProcess ClientShell(RelayLab lab, string command, ChildInput? input = null) =>
        lab.Agents.Peer.Start("sh", ["-c", command], new ChildOptions { Input = input ?? ChildInput.Nothing });

    // There and back, each time after the work has gone on.
    private static async Task PassInTheMiddleAsync(RelayLab lab, int sessions, string progress, Func<Task>? between = null)
    {
        foreach (LabRelay relay in (LabRelay[])[lab.A, lab.B])
        {
            long before = relay == lab.A ? 0 : await ProgressOf(relay);
            await Eventually.True(async () => await ProgressOf(relay) > before + Some && await relay.SessionsAsync(RelayLab.Listener) == sessions);
            Assert.Equal(sessions, (await lab.DrainAsync(relay)).Count);
            if (between is not null)
                await between();
        }

        async Task<long> ProgressOf(LabRelay relay) => (await relay.RowAsync("listener", RelayLab.Listener)).GetProperty(progress).GetInt64();
    }

    private static async Task AssertNothingWasNoticedAsync(RelayLab lab, bool dscpMayChange = false)
    {
        await lab.Agents.AssertNothingIsLeftAsync();
        AgentLab.AssertClean(await lab.Agents.JudgeAsync(dscpMayChange));
        AgentLab.AssertClean(await lab.JudgeServerAsync(dscpMayChange));
    }

    private static async Task<string> OutputAsync(ChildProcess process)
    {
        int exitCode = await process.Exit.WaitAsync(s_limit);
        string output = await process.Output!.Completed.WaitAsync(s_limit);
        Assert.True(exitCode == 0, $"{exitCode}: {output[..Math.Min(output.Length, 2000)]}{process.ErrorOutput!.Text}");
        return output;
    }

    private static async Task WriteAsync(ChildProcess process, string text)
    {
        await process.Input!.WriteAsync(Encoding.UTF8.GetBytes(text));
        await process.Input.FlushAsync();
    }

    // Its SHA-256.
    private static async Task<string> WriteFileAsync(string path, int bytes)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        await using FileStream file = File.Create(path);
        byte[] chunk = new byte[1_000_000];
        for (int written = 0; written < bytes; written += chunk.Length)
        {
            Random.Shared.NextBytes(chunk);
            hash.AppendData(chunk);
            await file.WriteAsync(chunk);
        }

        return Convert.ToHexString(hash.GetHashAndReset());
    }

    private static async Task RunAsync(string program, params string[] arguments)
    {
        (int exitCode, string output, string error) = await Command.RunProgramAsync(program, arguments);
        Assert.True(exitCode == 0, $"{program}: {output}{error}");
    }
}
