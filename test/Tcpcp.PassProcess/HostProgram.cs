using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Tcpcp.Agent.Hosting;
using Tcpcp.Agent.Passing;

namespace Tcpcp.PassProcess;

/// <summary>
/// The agent that <c>tcpcp agent</c> runs, with a hook on the steps of a pass: CONFIGURATION. Orders on standard input: "kill SIDE:ACTION" and "stall SIDE:ACTION"
/// arm the hook, for once; "go" lets a stalled pass go on. It ends with its standard input.
/// </summary>
internal sealed class HostProgram
{
    private volatile TaskCompletionSource _going = new();
    private volatile string? _killAt;
    private volatile string? _stallAt;

    public static async Task RunAsync(IReadOnlyList<string> arguments)
    {
        ThreadPool.SetMinThreads(8, 8);
        HostProgram program = new();
        using ILoggerFactory logs = LoggerFactory.Create(builder => builder.SetMinimumLevel(LogLevel.Information).AddSystemdConsole());
        await using AgentHost agent = await AgentHost.StartAsync(AgentConfiguration.Read(arguments[0]), logs.CreateLogger("tcpcp"), program.Observe);
        Console.WriteLine("ready");
        while (await Task.Factory.StartNew(Console.In.ReadLine, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default) is { } line)
            program.Obey(line);
    }

    private void Obey(string line)
    {
        switch (line.Split(' '))
        {
            case ["kill", { } step]:
                _killAt = step;
                break;
            case ["stall", { } step]:
                _stallAt = step;
                break;
            case ["go"]:
                _going.TrySetResult();
                break;
            default:
                throw new ArgumentException($"'{line}' is not an order.", nameof(line));
        }

        Console.WriteLine($"heard {line}");
    }

    private void Observe(PassStep step)
    {
        string name = $"{step.Side}:{step.Action}";
        if (name == _killAt)
            Process.GetCurrentProcess().Kill();
        Console.WriteLine($"step {name} {step.Detail}");
        if (name != _stallAt)
            return;
        _stallAt = null;
        _going = new TaskCompletionSource();
        Console.WriteLine("stalled");
        _going.Task.Wait();
    }
}
