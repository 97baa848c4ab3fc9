using System.Net.Sockets;

namespace Tcpcp.EndToEnd.Tests;

public sealed class CompletionTests(InspectedHost host) : IClassFixture<InspectedHost>
{
    // What bash does for a TAB at the end of $1: the function that "complete" has registered, with the words split as bash splits them.
    private const string Complete = """
        source <("$0" completions bash)
        [[ $(complete -p tcpcp) == *"-F _tcpcp"* ]] || exit 9
        COMP_WORDS=("$0")
        COMP_LINE="$0 $1"
        COMP_POINT=${#COMP_LINE}
        _tcpcp
        printf '%s\n' "${COMPREPLY[@]}"
        """;

    [Theory]
    [InlineData("do", "doctor")]
    [InlineData("doctor --cl", "--clean")]
    [InlineData("list --state CLOSE", "CLOSE_WAIT")]
    [InlineData("completions z", "zsh")]
    public async Task Bash_completes_commands_options_and_values(string line, string expected) => Assert.Contains(expected, await CompleteAsync(line));

    [Fact]
    public async Task Bash_completes_live_connections_behind_a_colon_too()
    {
        (Socket client, Socket server) = host.Connect();
        using (client)
        using (server)
        {
            string name = InspectedHost.EndsOf(server).ToString();
            string descriptor = InspectedHost.DescriptorOf(server);
            Assert.Contains(name, await CompleteAsync("show "));
            Assert.Contains(name, await CompleteAsync("show 127"));
            // bash replaces only what follows the last colon.
            Assert.Contains(descriptor["pid:".Length..], await CompleteAsync("show pid:"));
            Assert.Equal([name[(name.LastIndexOf(':') + 1)..]], await CompleteAsync($"show {name[..^1]}"));
        }
    }

    [Theory]
    [InlineData("zsh", "compdef _tcpcp tcpcp")]
    [InlineData("fish", "complete --command tcpcp")]
    public async Task Other_shells_get_a_script_too(string shell, string expected)
    {
        (int exitCode, string output, _) = await Command.RunAsync("completions", shell);
        Assert.Equal(0, exitCode);
        Assert.Contains(expected, output, StringComparison.Ordinal);
    }

    private async Task<string[]> CompleteAsync(string line)
    {
        (int exitCode, string output, string error) = await InspectedHost.RunAsync(host.Host, "/bin/bash", "-c", Complete, Command.Path, line);
        Assert.True(exitCode == 0 && error.Length == 0, output + error);
        return output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
