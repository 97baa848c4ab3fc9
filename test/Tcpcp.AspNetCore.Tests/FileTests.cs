using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Tcpcp.AspNetCore.Tests.Labs;
using Tcpcp.EndToEnd.Tests.Agents;
using Tcpcp.Linux.Processes;

namespace Tcpcp.AspNetCore.Tests;

/// <summary>Downloads that are passed in the middle of a file.</summary>
public sealed class FileTests(LabCertificates certificates)
{
    private const int Bytes = 30_000_000;

    [Fact]
    public async Task A_range_of_a_file_goes_on_at_the_other_host()
    {
        await using WebLab lab = await StartAsync();
        await using ChildProcess curl = lab.StartClient("sh", "-c", $"curl -sS --fail --limit-rate 8M -r 1000000-25999999 {lab.Address}file | sha256sum");
        await PassInTheMiddleAsync(lab, curl, exitCode: 0);
        byte[] file = await File.ReadAllBytesAsync(PathOf(lab.Agents, 0));
        Assert.StartsWith(Convert.ToHexString(SHA256.HashData(file.AsSpan(1_000_000, 25_000_000))), await lab.OutputAsync(curl), StringComparison.OrdinalIgnoreCase);
        await lab.AssertNothingWasNoticedAsync();
    }

    [Theory]
    [InlineData("changed at another time")]
    [InlineData("has 29999999 bytes here")]
    [InlineData("There is no file file here")]
    public async Task A_download_stays_where_it_is_when_the_file_there_is_another_one(string reason)
    {
        await using WebLab lab = await StartAsync();
        string there = PathOf(lab.Agents, 1);
        if (reason.Contains("no file", StringComparison.Ordinal))
            File.Delete(there);
        else if (reason.Contains("bytes", StringComparison.Ordinal))
        {
            await using FileStream file = File.OpenWrite(there);
            file.SetLength(Bytes - 1);
        }
        else
            File.SetLastWriteTimeUtc(there, DateTime.UtcNow.AddHours(-1));
        await using ChildProcess curl = lab.StartClient("sh", "-c", $"curl -sS --fail --limit-rate 20M {lab.Address}file | sha256sum");
        JsonElement outcome = await PassInTheMiddleAsync(lab, curl, exitCode: 1);
        Assert.Contains(reason, outcome.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.StartsWith(Convert.ToHexString(SHA256.HashData(await File.ReadAllBytesAsync(PathOf(lab.Agents, 0)))), await lab.OutputAsync(curl), StringComparison.OrdinalIgnoreCase);
        await lab.AssertNothingWasNoticedAsync();
    }

    private static async Task<JsonElement> PassInTheMiddleAsync(WebLab lab, ChildProcess curl, int exitCode)
    {
        await WebLab.UntilConnectedAsync(lab.Agents.A, 1);
        JsonElement outcome = Assert.Single(await lab.DrainAsync(lab.Agents.A, exitCode));
        Assert.False(curl.Exit.IsCompleted);
        return outcome;
    }

    private static string PathOf(AgentLab agents, int host) => Path.Combine(Directory.CreateDirectory(Path.Combine(agents.DirectoryPath, $"root-{host}")).FullName, "file");

    private Task<WebLab> StartAsync() => WebLab.StartAsync(certificates, 
        (app, _) => app.UsePassableStaticFiles(new StaticFileOptions { FileProvider = app.Environment.ContentRootFileProvider, ServeUnknownFileTypes = true }), (agents, host) =>
    {
        string path = PathOf(agents, host);
        if (host == 0)
            File.WriteAllBytes(path, RandomNumberGenerator.GetBytes(Bytes));
        else
        {
            File.Copy(PathOf(agents, 0), path);
            File.SetLastWriteTimeUtc(path, File.GetLastWriteTimeUtc(PathOf(agents, 0)));
        }

        return Path.GetDirectoryName(path)!;
    });
}
