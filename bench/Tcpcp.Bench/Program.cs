using Tcpcp.Bench;

bool json = args.Contains("--json", StringComparer.Ordinal);
switch (args.FirstOrDefault(argument => argument != "--json"))
{
    case "pause":
        await PauseBenchmark.RunAsync(Environment.GetEnvironmentVariable("TCPCP")!, json);
        return 0;
    case "kernel":
        KernelBenchmark.Run(Environment.GetEnvironmentVariable("TCPCP_KERNEL_BASELINE")!, json);
        return 0;
    default:
        Console.Error.WriteLine("./bench.sh NAME [--json]; NAME is: pause, kernel");
        return 2;
}
