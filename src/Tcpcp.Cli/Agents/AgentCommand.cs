using System.CommandLine;
using System.Diagnostics;
using System.Runtime.InteropServices;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;
using Tcpcp.Agent.Gateways;
using Tcpcp.Agent.Hosting;
using Tcpcp.Agent.Link;
using Tcpcp.Agent.PeerRoutes;
using Tcpcp.Configuration;
using Tcpcp.Linux.Processes;
using Tcpcp.Linux.UnixSockets;

namespace Tcpcp.Cli.Agents;

/// <summary>tcpcp agent: the daemon of a host.</summary>
internal static class AgentCommand
{
    private static readonly TimeSpan s_settled = TimeSpan.FromSeconds(1);

    public static Command Create()
    {
        Option<FileInfo> config = new("--config", "-c")
        {
            Description = "The configuration, a JSON file; its keys are in docs/configuration.md.",
            DefaultValueFactory = _ => new FileInfo("/etc/tcpcp/agent.json"),
        };
        Option<bool> check = new("--check") { Description = "Only says whether the configuration and the certificates can be used, and what the redirection lacks of this host." };
        Option<bool> events = new("--events") { Description = "Write every step of every pass to standard output, one JSON object a line; the log goes to standard error." };
        Command command = new("agent", """
            Runs the agent of this host: takes connections from its applications and from other agents, and passes them.

            Needs CAP_NET_ADMIN and CAP_NET_RAW. It runs until SIGTERM or SIGINT; connections in the middle of a pass are settled by the next start.
            On SIGHUP it reads the configuration again: a gateway follows changes of its backends, and the log names the changes that need a restart.
            Exit codes: 0 it was stopped, or the check found no fault; 1 it could not run, or this host lacks what it needs to run; 2 wrong use, or a fault in the configuration.

            Example:  tcpcp agent --config /etc/tcpcp/agent.json
            """)
        {
            config, check, events,
        };
        command.SetAction((parsed, _) => RunAsync(parsed.GetRequiredValue(config).FullName, parsed.GetValue(check), parsed.GetValue(events)));
        return command;
    }

    private static void RequireGroup(string key, string? group)
    {
        if (group is not null && UserGroup.Find(group) is null)
            throw new ConfigurationException(key, $"There is no group '{group}': make it (groupadd {group}), or name another one.");
    }

    // Agents trust the configured authorities alone, but .NET reads the whole store of the system before it shows a certificate, which takes longer and more memory
    // than the rest of the start. Only a collector that is reached by https needs it.
    private static void SkipSystemTrust(AgentConfiguration configuration)
    {
        if (configuration.OtlpCollector is { } collector && collector.Scheme == Uri.UriSchemeHttps)
            return;
        foreach (string variable in (string[])["SSL_CERT_FILE", "SSL_CERT_DIR"]) // of OpenSSL
            NativeEnvironment.Set(variable, "/dev/null");
    }

    private static async Task<int> RunAsync(string path, bool checkOnly, bool withEvents)
    {
        AgentConfiguration configuration;
        try
        {
            configuration = AgentConfiguration.Read(path);
            if (configuration.IsHost)
            {
                RequireGroup("local:applications-group", configuration.ApplicationsGroup);
                RequireGroup("local:operators-group", configuration.OperatorsGroup);
            }

            if (checkOnly)
            {
                HostCertificate certificate = AgentCredentials.Open(configuration.Certificates, _ => { }).Current;
                if (certificate.FindOwnFault(configuration.Name) is { } fault)
                    throw new CertificateException(fault);
                bool isFatal = false;
                foreach ((string lack, bool isFatalLack) in RedirectionCheck.FindFaults(configuration))
                {
                    Console.Error.WriteLine($"tcpcp: {lack}");
                    isFatal |= isFatalLack;
                }

                if (isFatal)
                    return ExitCode.Failed;

                Console.WriteLine($"{path}: no fault. Agent {configuration.Name}, certificate of {certificate.Name} valid to {certificate.NotAfter:u}.");
                return ExitCode.Done;
            }
        }
        catch (Exception e) when (e is ConfigurationException or CertificateException)
        {
            Console.Error.WriteLine($"tcpcp: {e.Message}");
            return ExitCode.WrongUse;
        }

        SkipSystemTrust(configuration);
        using CancellationTokenSource stopping = new();
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using ILoggerFactory logs = LoggerFactory.Create(builder => builder.SetMinimumLevel(configuration.LogLevel).AddFilter("Microsoft", LogLevel.Warning)
            .AddFilter("Grpc", LogLevel.Warning).AddSystemdConsole()
            .Services.Configure<ConsoleLoggerOptions>(options => options.LogToStandardErrorThreshold = withEvents ? LogLevel.Trace : LogLevel.None));
        ILogger log = logs.CreateLogger("tcpcp");
        try
        {
            await using PassEvents? events = withEvents ? new PassEvents() : null;
            await using IAsyncDisposable agent = configuration.GatewayRole is not null ? await GatewayHost.StartAsync(configuration, log)
                : configuration.PeerRouteRole is not null ? await PeerRouteHost.StartAsync(configuration, log)
                : await AgentHost.StartAsync(configuration, log, events is null ? null : step => events.Write(PassEvent.Of(step)));
            using ConfigurationReload reload = new(path, configuration, agent as IReloadable, log);
            using PosixSignalRegistration hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, signal =>
            {
                signal.Cancel = true;
                _ = reload.RunAsync();
            });
            events?.Write(new PassEvent("ready", (long)Stopwatch.GetElapsedTime(0).TotalNanoseconds));
            using ServiceNotifier systemd = ServiceNotifier.Start();
            await Task.Delay(s_settled, stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true); // gives back what only the start has needed
            ProgramCode.GiveBack();
            await Task.Delay(Timeout.Infinite, stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            systemd.Stopping();
            log.Stopping();
            return ExitCode.Done;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or CertificateException
            or System.Net.Sockets.SocketException or DllNotFoundException)
        {
            Console.Error.WriteLine($"tcpcp: the agent cannot run: {FailureAdvice.Add(e)}");
            return ExitCode.Failed;
        }

        void Stop(PosixSignalContext signal)
        {
            signal.Cancel = true;
            stopping.Cancel();
        }
    }
}
