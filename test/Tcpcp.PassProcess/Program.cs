using System.Diagnostics;
using System.Net;
using Tcpcp.Agent.Journal;
using Tcpcp.Agent.Passing;
using Tcpcp.Core;
using Tcpcp.Core.Wire;
using Tcpcp.PassProcess;
using Tcpcp.PassProcess.Chaos;
using Tcpcp.Traffic;

if (args is ["agent", ..])
{
    await AgentProgram.RunAsync(args[1..]);
    return;
}

if (args is ["host", ..])
{
    await HostProgram.RunAsync(args[1..]);
    return;
}

if (args is ["application", ..])
{
    await ClientApplication.RunAsync(args[1..]);
    return;
}

if (args is ["echo", { } listen, { } agentSocket])
{
    await EchoService.RunAsync(IPEndPoint.Parse(listen), agentSocket);
    return;
}

if (args is ["chaos", ..])
{
    await ChaosApplication.RunAsync(args[1..]);
    return;
}

// Its arguments: ProcessOptions. Orders on standard input: "pass ADDRESS:PORT" and "go".
ProcessOptions options = ProcessOptions.Parse(args);
ThreadPool.SetMinThreads(8, 8);
StreamApplication application = new(options);
using FileJournal file = FileJournal.Open(options.JournalDirectory);
if (file.Damage is { } damage)
    Console.WriteLine($"journal damaged: {damage}");
IPassJournal journal = options.FullAt is { } step ? new FullJournal(file, Enum.Parse<JournalStep>(step)) : file;
using ManualResetEventSlim going = new();
// A busy machine is no silent destination.
PassOptions bounds = new() { OfferLifetime = options.OfferLifetime, AnswerTime = TimeSpan.FromSeconds(20), PacketSwitch = options.PacketSwitch, Hold = options.Hold };
Func<PassRequest, IPEndPoint, Task<PassResult>> pass;
if (options.CertificateDirectory is null)
{
    PassAgent agent = PassAgent.Open("eth0", bounds, Observe, journal);
    agent.Register(application);
    _ = application.ServeAsync();
    agent.Listen(options.Agent);
    pass = (request, where) => agent.PassAsync(request, where, CancellationToken.None);
}
else
{
    SecuredAgent agent = new(options, bounds, Observe, journal);
    agent.Register(application);
    _ = application.ServeAsync();
    await agent.ListenAsync();
    pass = agent.PassAsync;
}

Console.WriteLine("ready");
while (await Task.Run(Console.In.ReadLine) is { } line)
{
    if (line is "go")
        going.Set();
    else if (line.Split(' ') is ["pass", { } where])
        _ = PassAsync(IPEndPoint.Parse(where));
}

async Task PassAsync(IPEndPoint where)
{
    PassResult result = await application.PassAsync(request => pass(request, where));
    Console.WriteLine($"passed {result.Failure} {result.Owner} {result.Detail}");
}

void Observe(PassStep step)
{
    if ($"{step.Side}:{step.Action}" == options.KillAt)
        Process.GetCurrentProcess().Kill();
    Console.WriteLine($"step {step.Side}:{step.Action} {step.Detail}");
    if ($"{step.Side}:{step.Action}" == options.StallAt)
        going.Wait();
}
