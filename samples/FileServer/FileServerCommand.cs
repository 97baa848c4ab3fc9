using System.CommandLine;
using System.Diagnostics;
using System.Net;
using Tcpcp.Client;
using Tcpcp.Core;

namespace Tcpcp.Samples.FileServer;

/// <summary>The command line of the sample. It takes orders on standard input: <c>pass HOST</c>; at its end the server ends.</summary>
internal static class FileServerCommand
{
    public static Command Create(string name)
    {
        Option<IPEndPoint> listen = new("--listen")
        {
            Description = "Address and port to serve HTTP on.",
            Required = true,
            CustomParser = result =>
            {
                if (IPEndPoint.TryParse(result.Tokens[0].Value, out IPEndPoint? endPoint) && endPoint.Port != 0)
                    return endPoint;
                result.AddError("--listen: write ADDRESS:PORT, for example 192.0.2.1:8080 or [2001:db8::1]:8080.");
                return null;
            },
        };
        Option<string> agent = new("--agent")
        {
            Description = "The socket of this host's agent (tcpcp agent).",
            DefaultValueFactory = _ => new AgentClientOptions().Path,
        };
        Option<string> root = new("--root") { Description = "Directory with the files: the same on every host.", Required = true };
        Option<bool> uploads = new("--allow-uploads")
        {
            Description = "PUT makes and replaces files. An upload can move only to a host that shares the directory (a network file system).",
        };
        Option<ulong?> rate = new("--rate") { Description = "Limit of what is sent on each connection in bytes a second." };
        Command command = name == "file-server"
            ? new RootCommand("An HTTP file server whose downloads and uploads can move to another host in the middle of a file.")
            : new Command(name, "The file server of the demo.");
        command.Add(listen);
        command.Add(agent);
        command.Add(root);
        command.Add(rate);
        command.Add(uploads);
        command.SetAction((parsed, cancellationToken) => RunAsync(parsed.GetRequiredValue(listen), parsed.GetRequiredValue(agent),
            parsed.GetRequiredValue(root), parsed.GetValue(rate), parsed.GetValue(uploads), cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(IPEndPoint listen, string agentPath, string root, ulong? rate, bool takesUploads, CancellationToken cancellationToken)
    {
        await using AgentClient agent = await AgentClient.ConnectAsync(new AgentClientOptions { Path = agentPath }, cancellationToken);
        HttpFileServer server = new(root, rate, takesUploads);
        await agent.RegisterAsync(HttpFileServer.Application, server, cancellationToken);
        using CancellationTokenSource stopping = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task serving = server.ServeAsync(listen, stopping.Token);
        new ServerEvent("ready", Now).Write();
        while (await ReadOrderAsync(stopping.Token) is { } line)
        {
            if (line.Split(' ') is ["pass", { Length: > 0 } destination])
                await PassAllAsync(server, agent, destination);
            else
                await Console.Error.WriteLineAsync($"'{line}' is not an order: write 'pass HOST'.");
        }

        await stopping.CancelAsync();
        await serving.ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        return 0;
    }

    private static async Task PassAllAsync(HttpFileServer server, AgentClient agent, string destination)
    {
        int count = 0;
        foreach (PassOrder order in server.FindConnections([]))
        {
            PassResult result = await agent.PassAsync(order with { Destination = destination });
            new ServerEvent("passed", Now) { Failure = result.Failure, Owner = result.Owner, Detail = result.Detail }.Write();
            count++;
        }

        if (count == 0)
            new ServerEvent("passed", Now) { Failure = PassFailure.NotPassable, Detail = "There is no open connection to pass." }.Write();
    }

    // Console.In.ReadLineAsync keeps a thread of the pool busy as long as nothing comes.
    private static Task<string?> ReadOrderAsync(CancellationToken cancellationToken) => Task.Factory
        .StartNew(Console.In.ReadLine, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default).WaitAsync(cancellationToken);

    private static long Now => (long)Stopwatch.GetElapsedTime(0).TotalNanoseconds;
}
