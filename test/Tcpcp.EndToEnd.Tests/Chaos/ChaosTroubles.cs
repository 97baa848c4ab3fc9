using System.Collections.Concurrent;
using Tcpcp.Lab;
using Tcpcp.Linux.Processes;

namespace Tcpcp.EndToEnd.Tests.Chaos;

/// <summary>Lets things happen to the hosts of a run: one at a time to each.</summary>
/// <param name="dying">Hears of a host whose connections are about to end, and when they have ended.</param>
/// <param name="isMoving">Whether an address moves just now.</param>
internal sealed class ChaosTroubles(ChaosLab lab, ChaosSetting setting, Random random, Action<string> note, Action<ChaosHost> dying, Func<bool> isMoving)
{
    private const int SIGCONT = 18; // signal.h
    private const int SIGSTOP = 19;
    private const string MostDescriptors = "20000";

    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(90);
    private static readonly ChaosFault[] s_faults = Enum.GetValues<ChaosFault>();

    private readonly ConcurrentDictionary<ChaosFault, int> _counts = new();
    private readonly List<Task> _running = [];

    public IReadOnlyDictionary<ChaosFault, int> Counts => _counts;

    public void Begin()
    {
        ChaosHost[] parties = [.. lab.Parties];
        ChaosHost host = parties[random.Next(parties.Length)];
        ChaosFault fault = s_faults[random.Next(s_faults.Length)];
        TimeSpan time = TimeSpan.FromMilliseconds(random.Next(5, 1500));
        int detail = random.Next();
        if (host.IsTroubled || !CanHappen(fault, host))
            return;
        host.IsTroubled = true;
        _counts.AddOrUpdate(fault, 1, (_, count) => count + 1);
        _running.Add(HappenAsync(host, fault, fault switch
        {
            ChaosFault.ClockStepped => time + TimeSpan.FromSeconds(2), // it is looked at once a second
            ChaosFault.AgentStoppedAtVerdict when setting.IsPatient => TimeSpan.FromSeconds(60 + (detail % 60)),
            ChaosFault.AgentStoppedAtVerdict => time * 4, // longer than an origin waits
            _ => time,
        }, detail));
    }

    /// <summary>Returns when nothing happens any more.</summary>
    public Task EndAsync(TimeSpan limit) => Task.WhenAll(_running).WaitAsync(limit);

    private bool CanHappen(ChaosFault fault, ChaosHost host) => fault switch
    {
        ChaosFault.AgentStoppedAtVerdict when setting.IsRelay => false, // that the application does
        // The host of an address is nobody's guest: nothing brings the address back. Each relay's host has the one that its servers answer to.
        ChaosFault.Rebooted when setting.IsRelay => false,
        ChaosFault.ApplicationKilled or ChaosFault.ApplicationStopped or ChaosFault.AgentStoppedAtVerdict or ChaosFault.JournalFull => host.HasApplication,
        ChaosFault.Rebooted => setting.IsGateway || (!isMoving() && !ChaosLab.Services.Any(host.HasAddress)),
        ChaosFault.ClockStepped => host.HasClock,
        _ => true,
    };

    private async Task HappenAsync(ChaosHost host, ChaosFault fault, TimeSpan time, int detail)
    {
        note($"{host.Name}: {fault} for {time.TotalMilliseconds} ms");
        switch (fault)
        {
            case ChaosFault.AgentKilled:
                await host.Agent.KillAsync();
                await Task.Delay(time);
                await host.StartAgentAsync();
                break;
            case ChaosFault.AgentStopped:
                await StopAsync(host.Agent.Process, time);
                break;
            case ChaosFault.AgentStoppedAtVerdict:
                await StopAtVerdictAsync(host, time);
                break;
            case ChaosFault.ApplicationStopped:
                await StopAsync(host.Application, time);
                break;
            case ChaosFault.ApplicationKilled:
                dying(host);
                await host.KillApplicationAsync();
                dying(host);
                await Task.Delay(time);
                await host.StartApplicationAsync();
                break;
            case ChaosFault.LinkCut:
                host.CutLinks();
                await Task.Delay(time);
                host.HealLinks();
                break;
            case ChaosFault.Loss:
                LossDirection direction = detail % 2 == 0 ? LossDirection.Ingress : LossDirection.Egress;
                host.Agent.Host.SetLoss(2, direction);
                await Task.Delay(time);
                host.Agent.Host.SetLoss(0, direction);
                break;
            case ChaosFault.SecondAgent:
                await using (ChildProcess second = host.Agent.Host.Start(Command.Path, ["agent", "--config", host.Agent.ConfigurationFile]))
                    Assert.NotEqual(0, await second.Exit.WaitAsync(s_limit));
                break;
            case ChaosFault.Rebooted:
                dying(host);
                await lab.RebootAsync(host);
                dying(host);
                await Task.Delay(time);
                await host.StartAgentAsync();
                await host.StartApplicationAsync();
                break;
            case ChaosFault.JournalFull:
                host.Journal.Fill();
                await Task.Delay(time);
                host.Journal.Free();
                break;
            case ChaosFault.DescriptorsShort:
                await host.LimitAgentAsync($"nofile={host.HighestDescriptor() + 1 + (detail % 6)}:{MostDescriptors}");
                await Task.Delay(time);
                await host.LimitAgentAsync($"nofile={MostDescriptors}:{MostDescriptors}");
                break;
            case ChaosFault.MemoryShort:
                await host.LimitAgentAsync($"data={host.DataBytes() + (detail % (4 << 20))}:unlimited");
                await Task.Delay(time);
                await host.LimitAgentAsync("data=unlimited:unlimited");
                break;
            case ChaosFault.ClockStepped:
                host.StepClock(TimeSpan.FromSeconds((detail % 1200) - 600));
                await Task.Delay(time);
                host.StepClock(TimeSpan.Zero);
                break;
        }

        if (host.Agent.Process.Exit.IsCompleted)
        {
            note($"{host.Name}: its agent has died, and another one starts");
            Assert.True(fault is ChaosFault.MemoryShort or ChaosFault.DescriptorsShort, $"The agent of {host.Name} has died of {fault}.");
            await host.Agent.KillAsync();
            await host.StartAgentAsync();
        }

        note($"{host.Name}: {fault} is over");
        host.IsTroubled = false;
    }

    private async Task StopAtVerdictAsync(ChaosHost host, TimeSpan time)
    {
        await File.WriteAllTextAsync(host.OrderFile, $"{host.Agent.Process.Pid}");
        for (TimeSpan waited = TimeSpan.Zero; File.Exists(host.OrderFile); waited += TimeSpan.FromMilliseconds(5))
        {
            if (waited > TimeSpan.FromSeconds(5))
            {
                File.Delete(host.OrderFile); // nothing came
                break;
            }

            await Task.Delay(5);
        }

        note($"{host.Name}: stopped at a verdict, or never");
        await Task.Delay(time);
        host.Agent.Process.Signal(SIGCONT);
    }

    private static async Task StopAsync(ChildProcess process, TimeSpan time)
    {
        process.Signal(SIGSTOP);
        await Task.Delay(time);
        process.Signal(SIGCONT);
    }
}
