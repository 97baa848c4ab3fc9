using System.Globalization;
using System.Security.Cryptography;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using Tcpcp.AspNetCore.Tests.Labs;
using Tcpcp.EndToEnd.Tests;
using Tcpcp.EndToEnd.Tests.Agents;
using Tcpcp.Linux.Processes;

namespace Tcpcp.AspNetCore.Tests;

/// <summary>Real clients, unchanged, of the two samples: their connections go to another host and back in the middle of their work, and they do not notice.</summary>
[Collection(HeavyTests.Name)]
public sealed partial class RealClientTests(LabCertificates certificates)
{
    private const int DebuggingPort = 9222;

    /// <param name="delay">Milliseconds that a connection is idle at most between two requests; 0: it never is, and the capture is not read, since it has too much.</param>
    [Theory]
    [InlineData(0)]
    [InlineData(10)]
    public async Task Wrk_sees_no_error_while_its_connections_go_back_and_forth_twenty_times(int delay)
    {
        const int Connections = 8, Passes = 20;
        await using WebLab lab = await StartFilesAsync(bytes: 1000);
        string script = Path.Combine(lab.Agents.DirectoryPath, "wrk.lua");
        await File.WriteAllTextAsync(script, delay == 0 ? "" : $"function delay() return math.random(0, {delay}) end");
        await using ChildProcess wrk = lab.StartClient("wrk", "-t1", $"-c{Connections}", "-d8s", "-s", script, $"{lab.Address}file");
        await WebLab.UntilConnectedAsync(lab.Agents.A, Connections);
        await lab.BackAndForthAsync(Passes, Connections);
        Assert.False(wrk.Exit.IsCompleted);
        string report = await lab.OutputAsync(wrk);
        Assert.DoesNotContain("Socket errors", report, StringComparison.Ordinal);
        Assert.DoesNotContain("Non-2xx", report, StringComparison.Ordinal);
        Assert.InRange(int.Parse(Requests().Match(report).Groups["count"].ValueSpan, CultureInfo.InvariantCulture), 1000, int.MaxValue);
        if (delay > 0)
            await lab.AssertNothingWasNoticedAsync();
    }

    [Fact]
    public async Task Curl_gets_a_file_of_300_MB_that_five_passes_interrupt()
    {
        const int Bytes = 300_000_000, Passes = 5;
        await using WebLab lab = await StartFilesAsync(Bytes);
        await using ChildProcess curl = lab.StartClient("sh", "-c", $"curl -sS --fail --limit-rate 60M {lab.Address}file | sha256sum");
        for (int i = 0; i < Passes; i++)
        {
            LabAgent from = lab.Agents.Agents[i % 2];
            await WebLab.UntilConnectedAsync(from, 1);
            Assert.Single(await lab.DrainAsync(from));
        }

        Assert.False(curl.Exit.IsCompleted);
        await using FileStream file = File.OpenRead(Path.Combine(lab.Agents.DirectoryPath, "files", "file"));
        Assert.StartsWith(Convert.ToHexString(await SHA256.HashDataAsync(file)), await lab.OutputAsync(curl), StringComparison.OrdinalIgnoreCase);
        await lab.AssertNothingWasNoticedAsync();
    }

    [Fact]
    public async Task The_chat_page_in_Chromium_goes_on_over_ten_passes()
    {
        const int Passes = 10;
        await using WebLab lab = await WebLab.StartSampleAsync(certificates, "WebChat", "web-chat", (_, agent) => ["--Host", agent.Name]);
        string profile = Path.Combine(lab.Agents.DirectoryPath, "chromium");
        await using ChildProcess chromium = lab.StartClient("chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", $"--user-data-dir={profile}",
            "--no-first-run", "--disable-background-networking", $"--remote-debugging-port={DebuggingPort}", "about:blank");
        await using LoopbackForward debugging = LoopbackForward.Start(lab.Agents.Peer, DebuggingPort);
        await Eventually.True(() => chromium.Exit.IsCompleted || chromium.ErrorOutput!.Text.Contains("DevTools listening", StringComparison.Ordinal));
        using IPlaywright playwright = await Playwright.CreateAsync();
        await using IBrowser browser = await playwright.Chromium.ConnectOverCDPAsync($"http://127.0.0.1:{debugging.Port}");
        IPage page = await browser.Contexts[0].NewPageAsync();
        await page.GotoAsync($"{lab.Address}");
        await AssertServedByAsync(page, LabAgent.NameA);
        for (int i = 0; i < Passes; i++)
        {
            LabAgent from = lab.Agents.Agents[i % 2], to = lab.Agents.Agents[(i + 1) % 2];
            await lab.DrainAsync(from); // the page's own connection too, if it is open yet
            await AssertServedByAsync(page, to.Name);
            await page.FillAsync("#text", $"said to {to.Name} as number {i}");
            await page.ClickAsync("button");
        }

        await page.WaitForFunctionAsync($"chat.texts.length == {Passes}");
        Assert.Equal(Enumerable.Range(0, Passes).Select(i => $"said to {lab.Agents.Agents[(i + 1) % 2].Name} as number {i}"), await page.EvaluateAsync<string[]>("chat.texts"));
        Assert.Equal(Enumerable.Range(0, Passes + 1).Select(i => lab.Agents.Agents[i % 2].Name), await page.EvaluateAsync<string[]>("chat.hosts"));
        Assert.Equal(0, await page.EvaluateAsync<int>("chat.faults + chat.closed"));
        Assert.Equal(0, await page.EvaluateAsync<int>("chat.last - chat.count"));
        await lab.AssertNothingWasNoticedAsync();
    }

    [Fact]
    public async Task The_client_of_a_hub_reconnects_to_the_other_host_and_goes_on_where_it_stood()
    {
        const int SIGTERM = 15; // signal.h
        await using WebLab lab = await WebLab.StartSampleAsync(certificates, "WebHub", "web-hub", (_, agent) => ["--Host", agent.Name]);
        string program = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", "..", "WebHub", Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory)), "web-hub"));
        await using ChildProcess watcher = lab.StartClient(program, "watch", $"{lab.Address}hub");
        await Eventually.True(() => watcher.Output!.Text.Contains($"{LabAgent.NameA} 20\n", StringComparison.Ordinal));
        // The hub's connection stays, by name; the address goes, and the first host's program may stop.
        (int exitCode, string output, string error) = await lab.Agents.A.RunAsync("drain", "--to", LabAgent.NameB, "--app", "web-hub", "--take-addresses", "--json");
        Assert.True(exitCode == 1 && output.Contains("NotPassable", StringComparison.Ordinal), $"{exitCode}: {output}{error}");
        Assert.True(lab.ProgramOf(lab.Agents.A).Signal(SIGTERM));
        await Eventually.True(() => watcher.Output!.Text.Split(LabAgent.NameB).Length > 20);
        long[] numbers = [.. watcher.Output!.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries)[..^1].Select(line => long.Parse(line.Split(' ')[1], CultureInfo.InvariantCulture))];
        Assert.Equal(Enumerable.Range(1, numbers.Length).Select(number => (long)number), numbers);
    }

    private static async Task AssertServedByAsync(IPage page, string host) => await page.WaitForFunctionAsync($"document.getElementById('host').value == '{host}'");

    private Task<WebLab> StartFilesAsync(int bytes) => WebLab.StartSampleAsync(certificates, "WebFileServer", "web-file-server", (agents, _) =>
    {
        string directory = Directory.CreateDirectory(Path.Combine(agents.DirectoryPath, "files")).FullName, path = Path.Combine(directory, "file");
        if (!File.Exists(path))
        {
            using FileStream file = File.Create(path);
            byte[] chunk = new byte[Math.Min(bytes, 1_000_000)];
            for (int written = 0; written < bytes; written += chunk.Length)
            {
                Random.Shared.NextBytes(chunk);
                file.Write(chunk);
            }
        }

        return ["--contentRoot", directory];
    });

    [GeneratedRegex(@"(?<count>\d+) requests in", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Requests();
}
