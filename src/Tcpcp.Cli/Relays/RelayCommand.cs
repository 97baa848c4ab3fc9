using System.CommandLine;
using System.Runtime.InteropServices;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;
using Tcpcp.Cli.Agents;
using Tcpcp.Configuration;
using Tcpcp.Linux.UnixSockets;
using Tcpcp.Relay.Control;
using Tcpcp.Relay.Hosting;
using Tcpcp.Relay.Settings;

namespace Tcpcp.Cli.Relays;

/// <summary>tcpcp relay: a layer-4 load balancer whose live sessions move, and its commands.</summary>
internal static class RelayCommand
{
    public static Command Create()
    {
        Option<FileInfo> config = new("--config", "-c")
        {
            Description = "The configuration, a JSON file; its keys are in docs/relay.md.",
            DefaultValueFactory = _ => new FileInfo("/etc/tcpcp/relay.json"),
        };
        Option<bool> check = new("--check") { Description = "Only says whether the configuration can be used." };
        Option<bool> upgrade = new(Successor.Option) { Description = "Takes listening sockets and sessions over from the relay that runs on this host, which ends then (tcpcp relay upgrade starts such a process)." };
        Command command = new("relay", """
            Runs a relay: accepts connections, connects each to a server, and carries the bytes both ways. Its sessions can be passed to the relay of another host while
            they go on; this host's agent does it.

            It needs no privilege but to listen on ports below 1024. It runs until SIGTERM or SIGINT, which end its sessions: drain it before.
            On SIGHUP it reads the configuration again and touches no session; the log names the changes that need a restart.
            Exit codes: 0 it was stopped, or the check found no fault; 1 it could not run; 2 wrong use, or a fault in the configuration.

            Examples:
              tcpcp relay --config /etc/tcpcp/relay.json
              tcpcp relay status
              tcpcp relay set databases/db1 --state drain
              tcpcp relay drain --to host-b --take-addresses
              tcpcp relay upgrade
            """)
        {
            config, check, upgrade,
        };
        command.Add(RelayStatusCommand.Create());
        command.Add(RelaySetCommand.Create());
        command.Add(RelayMoveCommand.CreateDrain());
        command.Add(RelayMoveCommand.CreateRebalance());
        command.Add(RelayUpgradeCommand.Create());
        command.SetAction((parsed, _) => RunAsync(parsed.GetRequiredValue(config).FullName, parsed.GetValue(check), parsed.GetValue(upgrade)));
        return command;
    }

    private static async Task<int> RunAsync(string path, bool checkOnly, bool takesOver)
    {
        RelayConfiguration configuration;
        try
        {
            configuration = RelayConfiguration.Read(path);
            if (UserGroup.Find(configuration.ControlGroup) is null)
                throw new ConfigurationException("control:group", $"There is no group '{configuration.ControlGroup}': make it (groupadd {configuration.ControlGroup}), or name another one.");
        }
        catch (ConfigurationException e)
        {
            await Console.Error.WriteLineAsync($"tcpcp: {e.Message}");
            return ExitCode.WrongUse;
        }

        if (checkOnly)
        {
            Console.WriteLine($"{path}: no fault. {configuration.Listeners.Count} listeners, {configuration.Pools.Sum(pool => pool.Servers.Count)} servers in {configuration.Pools.Count} pools.");
            return ExitCode.Done;
        }

        using CancellationTokenSource stopping = new();
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using ILoggerFactory logs = LoggerFactory.Create(builder => builder.SetMinimumLevel(configuration.LogLevel).AddFilter("Microsoft", LogLevel.Warning).AddSystemdConsole());
        ILogger log = logs.CreateLogger("tcpcp");
        try
        {
            await using RelayHost relay = await RelayHost.StartAsync(path, configuration, log, takesOver);
            using PosixSignalRegistration hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, signal =>
            {
                signal.Cancel = true;
                _ = relay.ReloadAsync();
            });
            using ServiceNotifier systemd = ServiceNotifier.Start(isNewMainProcess: takesOver);
            await relay.HandedOver.WaitAsync(stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (relay.HandedOver.IsCompleted)
                return ExitCode.Done; // the service goes on in the new process
            systemd.Stopping();
            log.Stopping(relay.Sessions.Count);
            return ExitCode.Done;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or System.Net.Sockets.SocketException)
        {
            await Console.Error.WriteLineAsync($"tcpcp: the relay cannot run: {FailureAdvice.Add(e)}");
            return ExitCode.Failed;
        }

        void Stop(PosixSignalContext signal)
        {
            signal.Cancel = true;
            stopping.Cancel();
        }
    }
}
