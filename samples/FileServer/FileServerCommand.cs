using System.CommandLine;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Tcpcp.Agent.Passing;
using Tcpcp.Core;

namespace Tcpcp.Samples.FileServer;

/// <summary>The command line of the sample. It takes orders on standard input: <c>pass ADDRESS:PORT</c>; at its end the server ends.</summary>
internal static class FileServerCommand
{
    private const int PoolThreads = 8;

    public static Command Create(string name)
    {
        Option<IPEndPoint> listen = EndPointOption("--listen", "Address and port to serve HTTP on.");
        Option<IPEndPoint> agent = EndPointOption("--agent", "Address and port on which other servers reach this one to pass connections.");
        Option<string> root = new("--root") { Description = "Directory with the files: the same on every host.", Required = true };
        Option<bool> uploads = new("--allow-uploads")
        {
            Description = "PUT makes and replaces files. An upload can move only to a host that shares the directory (a network file system).",
        };
        Option<string> link = new("--interface") { Description = "Interface that clients and the other hosts are behind.", DefaultValueFactory = _ => "eth0" };
        Option<ulong?> rate = new("--rate") { Description = "Limit of what is sent on each connection in bytes a second." };
        Command command = name == "file-server"
            ? new RootCommand("An HTTP file server whose downloads and uploads can move to another host in the middle of a file.")
            : new Command(name, "The file server of the demo.");
        command.Add(listen);
        command.Add(agent);
        command.Add(root);
        command.Add(link);
        command.Add(rate);
        command.Add(uploads);
        command.SetAction((parsed, cancellationToken) => RunAsync(
            parsed.GetRequiredValue(listen), parsed.GetRequiredValue(agent), parsed.GetRequiredValue(root), parsed.GetRequiredValue(link),
            parsed.GetValue(rate), parsed.GetValue(uploads), cancellationToken));
        return command;
    }

    private static Option<IPEndPoint> EndPointOption(string name, string description) => new(name)
    {
        Description = description,
        Required = true,
        CustomParser = result =>
        {
            if (IPEndPoint.TryParse(result.Tokens[0].Value, out IPEndPoint? endPoint) && endPoint.Port != 0)
                return endPoint;
            result.AddError($"{name}: write ADDRESS:PORT, for example 192.0.2.1:8080 or [2001:db8::1]:8080.");
            return null;
        },
    };

    private static async Task<int> RunAsync(
        IPEndPoint listen, IPEndPoint agentEndPoint, string root, string interfaceName, ulong? rate, bool takesUploads, CancellationToken cancellationToken)
    {
        // The pool begins with a thread for each CPU and adds one in 500 ms: no pass may wait for that.
        ThreadPool.SetMinThreads(PoolThreads, PoolThreads);
        await using ServerEvents events = new(Console.Out);
        HttpFileServer server = new(root, rate, takesUploads);
        using PassAgent agent = PassAgent.Open(interfaceName, new PassOptions(), step => events.Write(EventOf(step)));
        agent.Register(server);
        agent.Listen(agentEndPoint);
        using CancellationTokenSource stopping = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task serving = server.ServeAsync(listen, stopping.Token);
        events.Write(new ServerEvent("ready", Now));
        while (await ReadOrderAsync(stopping.Token) is { } line)
        {
            if (line.Split(' ') is ["pass", { } where] && IPEndPoint.TryParse(where, out IPEndPoint? destination))
            {
                IReadOnlyList<(FourTuple, PassResult)> results = await server.PassAllAsync(agent, destination);
                if (results.Count == 0)
                    events.Write(new ServerEvent("passed", Now) { Failure = PassFailure.NotPassable, Detail = "There is no open connection to pass." });
                foreach ((FourTuple connection, PassResult result) in results)
                    events.Write(new ServerEvent("passed", Now)
                    {
                        Connection = connection.ToString(),
                        Failure = result.Failure,
                        Owner = result.Owner,
                        Detail = result.Detail,
                    });
            }
            else
            {
                await Console.Error.WriteLineAsync($"'{line}' is not an order: write 'pass ADDRESS:PORT'.");
            }
        }

        await stopping.CancelAsync();
        await serving.ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        return 0;
    }

    // Console.In.ReadLineAsync keeps a thread of the pool busy as long as nothing comes.
    private static Task<string?> ReadOrderAsync(CancellationToken cancellationToken) => Task.Factory
        .StartNew(Console.In.ReadLine, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default).WaitAsync(cancellationToken);

    private static long Now => (long)Stopwatch.GetElapsedTime(0).TotalNanoseconds;

    private static ServerEvent EventOf(PassStep step) => new("step", (long)Stopwatch.GetElapsedTime(0, step.Timestamp).TotalNanoseconds)
    {
        Connection = step.Connection.ToString(),
        Side = step.Side,
        Action = step.Action,
        Detail = step.Detail.Length > 0 ? step.Detail : null,
        BlackoutNanoseconds = (long?)step.Blackout?.TotalNanoseconds,
    };
}
