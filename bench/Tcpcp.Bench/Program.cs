using System.Net;
using Tcpcp.Bench;
using Tcpcp.Bench.Agents;
using Tcpcp.Bench.Blackout;
using Tcpcp.Bench.Relays;
using Tcpcp.Bench.Web;
using Tcpcp.Traffic;

bool json = args.Contains("--json", StringComparer.Ordinal);
switch (args.FirstOrDefault(argument => argument != "--json"))
{
    case "pause":
        await PauseBenchmark.RunAsync(Environment.GetEnvironmentVariable("TCPCP")!, json);
        return 0;
    case "kernel":
        KernelBenchmark.Run(Environment.GetEnvironmentVariable("TCPCP_BASELINE")!, json);
        return 0;
    case "agent":
        await AgentBenchmark.RunAsync(Environment.GetEnvironmentVariable("TCPCP")!, Environment.GetEnvironmentVariable("TCPCP_BASELINE")!,
            part: args.Where(argument => argument != "--json").ElementAtOrDefault(1), json);
        return 0;
    case "redirect":
        RedirectBenchmark.Run(json);
        return 0;
    case "blackout":
        await BlackoutBenchmark.RunAsync(Environment.GetEnvironmentVariable("TCPCP")!, Environment.GetEnvironmentVariable("TCPCP_BASELINE")!,
            part: args.Where(argument => argument != "--json").ElementAtOrDefault(1), json);
        return 0;
    case "relay":
        await RelayBenchmark.RunAsync(Environment.GetEnvironmentVariable("TCPCP")!, Environment.GetEnvironmentVariable("TCPCP_BASELINE")!, json);
        return 0;
    case "aspnetcore":
        await WebBenchmark.RunAsync(Environment.GetEnvironmentVariable("TCPCP")!, part: args.Where(argument => argument != "--json").ElementAtOrDefault(1), json);
        return 0;
    case "web-application": // a process of the benchmark of the ASP.NET Core integration
        await WebService.RunAsync(IPEndPoint.Parse(args[1]), args.ElementAtOrDefault(2));
        return 0;
    case "agent-application": // a process of the benchmark of agents
        await EchoService.RunAsync(IPEndPoint.Parse(args[1]), args[2]);
        return 0;
    case "bulk-application": // a process of the benchmark of blackouts
        await BulkApplication.RunAsync(IPEndPoint.Parse(args[1]), args[2]);
        return 0;
    default:
        Console.Error.WriteLine("./bench.sh NAME [--json]; NAME is: pause, kernel, redirect, blackout [all | takeover | forward | gateway | peer-route | faults | rate], agent [single | drain], aspnetcore [requests | memory | drain], relay");
        return 2;
}
