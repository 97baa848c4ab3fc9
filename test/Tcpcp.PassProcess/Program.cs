using System.Diagnostics;
using System.Net;
using Tcpcp.Agent.Journal;
using Tcpcp.Agent.Passing;
using Tcpcp.Core;
using Tcpcp.PassProcess;

if (args is ["agent", ..])
{
    await AgentProgram.RunAsync(args[1..]);
    return;
}

if (args is ["application", ..])
{
    await ClientApplication.RunAsync(args[1..]);
    return;
}

// LISTEN_ADDRESS:PORT AGENT_ADDRESS:PORT JOURNAL_DIRECTORY BYTES_PER_SECOND [take|refuse] [SIDE:ACTION]
// Orders on standard input: "pass ADDRESS:PORT". With SIDE:ACTION the process kills itself (SIGKILL) when its agent has come to that step.
bool refuses = args.Length > 4 && args[4] == "refuse";
string? killAt = args.Length > 5 ? args[5] : null;
ThreadPool.SetMinThreads(8, 8);
StreamApplication application = new(int.Parse(args[3], System.Globalization.CultureInfo.InvariantCulture), refuses);
using FileJournal journal = FileJournal.Open(args[2]);
if (journal.Damage is { } damage)
    Console.WriteLine($"journal damaged: {damage}");
using PassAgent agent = PassAgent.Open("eth0", new PassOptions { OfferLifetime = TimeSpan.FromSeconds(3) }, Observe, journal);
agent.Register(application);
_ = application.ServeAsync(IPEndPoint.Parse(args[0]));
agent.Listen(IPEndPoint.Parse(args[1]));
Console.WriteLine("ready");
while (await Task.Run(Console.In.ReadLine) is { } line)
{
    if (line.Split(' ') is ["pass", { } where])
    {
        PassResult result = await application.PassAsync(agent, IPEndPoint.Parse(where));
        Console.WriteLine($"passed {result.Failure} {result.Owner} {result.Detail}");
    }
}

void Observe(PassStep step)
{
    if ($"{step.Side}:{step.Action}" == killAt)
        Process.GetCurrentProcess().Kill();
    Console.WriteLine($"step {step.Side}:{step.Action} {step.Detail}");
}
