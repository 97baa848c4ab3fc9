using System.IO.Compression;

namespace Tcpcp.EndToEnd.Tests.Packages;

/// <summary>The NuGet packages, as somebody who has only them.</summary>
public sealed class NuGetPackageTests(BuiltPackages packages)
{
    private static readonly string[] s_libraries = ["Tcpcp", "Tcpcp.AspNetCore", "Tcpcp.Check", "Tcpcp.Core", "Tcpcp.Linux"];

    // Freezes, saves, reads, and judges: a bit of each package.
    private const string Program = """
        using System.Net;
        using System.Net.Sockets;
        using Tcpcp;
        using Tcpcp.Check;
        using Tcpcp.Check.Capture;
        using Tcpcp.Client;
        using Tcpcp.Core;

        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        using TcpClient client = new();
        client.Connect((IPEndPoint)listener.LocalEndpoint);
        using Socket server = listener.AcceptSocket();
        client.GetStream().Write("unread"u8);
        server.Poll(-1, SelectMode.SelectRead);
        using SnapshotKey key = SnapshotKey.OfPassphrase("secret");
        using (FrozenConnection frozen = FrozenConnection.Freeze(server))
            new SavedConnection(frozen.Capture(), SavedConnectionKind.Copy, DateTimeOffset.UtcNow).Write("session.tcpcp", key: key);
        Console.WriteLine(System.Text.Encoding.ASCII.GetString(SavedConnection.Read("session.tcpcp", key: key).Snapshot.Unread.Span));
        Console.WriteLine(new SequenceNumber(1).IsAfter(new SequenceNumber(uint.MaxValue)));
        try { CaptureJudge.Judge("session.tcpcp", new JudgeOptions { Peer = IPAddress.Loopback }); }
        catch (CaptureFormatException) { Console.WriteLine("no capture"); }
        try { await AgentClient.ConnectAsync(new AgentClientOptions { Path = "/nowhere/agent.sock" }); }
        catch (AgentException) { Console.WriteLine("no agent"); }
        Console.WriteLine(new Tcpcp.AspNetCore.TcpcpOptions().MaxConcurrentPasses);
        """;

    private const string Project = """
        <Project Sdk="Microsoft.NET.Sdk">
          <PropertyGroup>
            <OutputType>Exe</OutputType>
            <TargetFramework>net10.0</TargetFramework>
            <ImplicitUsings>enable</ImplicitUsings>
            <Nullable>enable</Nullable>
            <NuGetAudit>false</NuGetAudit>
          </PropertyGroup>
          <ItemGroup>
            <PackageReference Include="Tcpcp" Version="*-*" />
            <PackageReference Include="Tcpcp.AspNetCore" Version="*-*" />
            <PackageReference Include="Tcpcp.Check" Version="*-*" />
          </ItemGroup>
        </Project>
        """;

    [Fact]
    public async Task Each_has_its_assembly_documentation_readme_licence_and_symbols()
    {
        IReadOnlyList<string> made = await packages.NuGetAsync();
        Assert.Equal(s_libraries, made.Select(NameOf).Order(StringComparer.Ordinal));
        foreach (string package in made)
        {
            string name = NameOf(package);
            using ZipArchive content = ZipFile.OpenRead(package);
            string[] files = [.. content.Entries.Select(entry => entry.FullName)];
            Assert.Contains($"lib/net10.0/{name}.dll", files);
            Assert.Contains("README.md", files);
            if (name != "Tcpcp.Linux")
                Assert.Contains($"lib/net10.0/{name}.xml", files);
            using StreamReader description = new(content.GetEntry($"{name}.nuspec")!.Open());
            Assert.Contains("<license type=\"expression\">MIT</license>", await description.ReadToEndAsync(), StringComparison.Ordinal);
            using ZipArchive symbols = ZipFile.OpenRead(Path.ChangeExtension(package, ".snupkg"));
            Assert.Contains($"lib/net10.0/{name}.pdb", symbols.Entries.Select(entry => entry.FullName));
        }
    }

    [Fact]
    public async Task A_fresh_project_restores_builds_and_runs_with_them_alone()
    {
        await packages.NuGetAsync();
        string directory = Directory.CreateTempSubdirectory("tcpcp-packages-").FullName;
        try
        {
            string others = Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } given ? given
                : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
            // What they need of others comes from what this machine has; of their own there is the feed alone, and a cache that is empty.
            await File.WriteAllTextAsync(Path.Combine(directory, "nuget.config"), $"""
                <configuration>
                  <packageSources><clear /><add key="built" value="{BuiltPackages.Directory}" /></packageSources>
                  <fallbackPackageFolders><clear /><add key="others" value="{others}" /></fallbackPackageFolders>
                </configuration>
                """);
            await File.WriteAllTextAsync(Path.Combine(directory, "Fresh.csproj"), Project);
            await File.WriteAllTextAsync(Path.Combine(directory, "Program.cs"), Program);
            (int exitCode, string output, string error) = await Command.RunProgramAsync("unshare", "-n", "bash", "-c", $"""
                set -eu
                cd {directory}
                export NUGET_PACKAGES={directory}/cache DOTNET_CLI_TELEMETRY_OPTOUT=1
                dotnet build -v q -nologo -o out -p:UseSharedCompilation=false >log 2>&1 || cat log >&2
                ls cache
                ip link set lo up
                out/Fresh
                """);
            Assert.True(exitCode == 0, output + error);
            string[] lines = output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
            Assert.Equal(["unread", "True", "no capture", "no agent", "16"], lines[^5..]);
            Assert.All(s_libraries, name => Assert.Contains(name.ToLowerInvariant(), lines[..^5])); // they came from the feed
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    // Tcpcp.Core.0.1.0.nupkg: the version begins with the first part that is a number.
    private static string NameOf(string package) =>
        string.Join('.', Path.GetFileName(package).Split('.').TakeWhile(part => !char.IsAsciiDigit(part[0])));
}
