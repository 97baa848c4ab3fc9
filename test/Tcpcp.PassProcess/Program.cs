using System.Diagnostics;
using System.Net;
using Tcpcp.Agent.Journal;
using Tcpcp.Agent.Passing;
using Tcpcp.Core;
using Tcpcp.Core.Wire;
using Tcpcp.PassProcess;

// Its arguments: ProcessOptions. Orders on standard input: "pass ADDRESS:PORT".
ProcessOptions options = ProcessOptions.Parse(args);
ThreadPool.SetMinThreads(8, 8);
StreamApplication application = new(options);
using FileJournal file = FileJournal.Open(options.JournalDirectory);
if (file.Damage is { } damage)
    Console.WriteLine($"journal damaged: {damage}");
IPassJournal journal = options.FullAt is { } step ? new FullJournal(file, Enum.Parse<JournalStep>(step)) : file;
using PassAgent agent = PassAgent.Open("eth0", new PassOptions { OfferLifetime = ProcessOptions.OfferLifetime }, Observe, journal);
agent.Register(application);
_ = application.ServeAsync();
agent.Listen(options.Agent);
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
    if ($"{step.Side}:{step.Action}" == options.KillAt)
        Process.GetCurrentProcess().Kill();
    Console.WriteLine($"step {step.Side}:{step.Action} {step.Detail}");
}
