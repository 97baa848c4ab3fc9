using System.Text.Json;
using System.Text.Json.Serialization;
using Tcpcp.Core;
using Tcpcp.Linux;
using Tcpcp.Linux.Processes;

namespace Tcpcp.Agent.Redirection;

/// <summary>
/// A program of the operator that has the packets moved: it is run for every order, without a shell, with the order as one JSON object on its standard input. It says that
/// it is done by exit code 0, and not before the packets go there.
/// </summary>
/// <param name="command">Path of the program, and its arguments.</param>
/// <param name="said">Hears what it writes to standard error.</param>
internal sealed class HookRedirector(IReadOnlyList<string> command, Action<string> said) : IRedirectorAgent
{
    private const int MaxSaid = 4096;

    public string RedirectorName => command[0];

    /// <returns>What speaks against running a program; null if nothing does.</returns>
    public static string? FindFault(string program) => !Path.IsPathFullyQualified(program) ? $"'{program}' is not an absolute path."
        : !File.Exists(program) ? $"There is no file {program}."
        : (File.GetUnixFileMode(program) & (UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute)) == UnixFileMode.None ? $"{program} is not executable: chmod +x {program}"
        : null;

    public Task<(string? Obstacle, ulong LastNumber)> ExamineAsync(IReadOnlyList<FourTuple> connections, OtherHost host, CancellationToken cancellationToken) =>
        Task.FromResult((FindFault(command[0]), 0UL));

    public async Task<ulong> RedirectAsync(RedirectOrder order, CancellationToken cancellationToken)
    {
        byte[] input = JsonSerializer.SerializeToUtf8Bytes(HookOrder.Of(order), HookJson.Default.HookOrder);
        try
        {
            // Disposing kills it, unless it has ended.
            await using ChildProcess process = ChildProcess.Start(
                command[0], [.. command.Skip(1)], new ChildOptions { Input = ChildInput.Of(input), Output = ChildOutput.Discarded });
            int exitCode;
            try
            {
                exitCode = await process.Exit.WaitAsync(cancellationToken);
            }
            finally
            {
                string text = process.ErrorOutput!.Text.Trim();
                if (text.Length > 0)
                    said($"{command[0]}: {text[..Math.Min(text.Length, MaxSaid)]}");
            }

            return exitCode == 0 ? order.Number : throw new RedirectionException($"{command[0]} ended with exit code {exitCode}.");
        }
        catch (KernelException e)
        {
            throw new RedirectionException($"{command[0]} cannot be run: {e.Message}", e);
        }
    }
}

/// <summary>What a hook reads, with snake_case names.</summary>
/// <param name="Action">divert: send the packets of the connections there; undo: send them back, if they were diverted; done: the pass is over, they stay there.</param>
/// <param name="Number">Of two orders about a connection the one with the higher number holds. An order may be repeated.</param>
/// <param name="From">Name of the host that had them.</param>
/// <param name="To">Name of the host that gets them.</param>
internal sealed record HookOrder(
    string Action, ulong Number, string From, string To, IReadOnlyList<string> FromAddresses, IReadOnlyList<string> ToAddresses, IReadOnlyList<HookConnection> Connections)
{
    public static HookOrder Of(RedirectOrder order) => new(
        order.IsUndo ? "undo" : order.IsSettled ? "done" : "divert", order.Number, order.From.Name, order.To.Name,
        [.. order.From.Addresses.Select(address => address.ToString())], [.. order.To.Addresses.Select(address => address.ToString())],
        [.. order.Connections.Select(connection => new HookConnection(connection.Local.ToString(), connection.Peer.ToString()))]);
}

/// <param name="Local">Address and port of the service.</param>
internal sealed record HookConnection(string Local, string Peer);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(HookOrder))]
internal sealed partial class HookJson : JsonSerializerContext;
