using System.Collections.Concurrent;
using System.Net;
using Google.Protobuf;
using Tcpcp.Agent.Journal;
using Tcpcp.Agent.Link;
using Tcpcp.Agent.Passing;
using Tcpcp.Agent.Policy;
using Tcpcp.Agent.Redirection;
using Tcpcp.Core;
using Tcpcp.Core.Wire;

namespace Tcpcp.PassProcess;

/// <summary>Both sides of passing with the links that agents have between hosts: gRPC over TLS, certificates and a policy.</summary>
internal sealed class SecuredAgent
{
    private readonly ProcessOptions _options;
    private readonly PassObserver _observer;
    private readonly HostServices _host;
    private readonly DestinationSide _destination;
    private readonly AgentCredentials _credentials;
    private readonly ConcurrentDictionary<string, DestinationChannel> _channels = new(StringComparer.Ordinal);

    public SecuredAgent(ProcessOptions options, PassOptions bounds, PassObserver observer, IPassJournal journal)
    {
        (_options, _observer) = (options, observer);
        _host = HostServices.Open("eth0", bounds, journal);
        string directory = options.CertificateDirectory!;
        _credentials = AgentCredentials.Open(new CertificateFiles(Path.Combine(directory, $"{options.Name}.pem"),
            Path.Combine(directory, $"{options.Name}.key"), Path.Combine(directory, "authority.pem")), Say);
        List<string> faults = [];
        PolicyRuleOptions rule = new() { Origin = options.Other, Applications = ["stream"], Addresses = ["10.0.0.100"], Ports = ["8080"] };
        _destination = new DestinationSide(_host, observer) { Policy = PassPolicy.Parse([rule], faults), LinkObserver = Say };
        if (faults.Count > 0)
            throw new ArgumentException(string.Join(' ', faults), nameof(options));
    }

    public void Register(IPassReceiver receiver) => _destination.Register(receiver);

    public async Task ListenAsync()
    {
        foreach (JournalRecord record in _host.Journal.ReadAtStart())
        {
            if (record.Side == JournalSide.Destination)
                _destination.Recover(record, held: null, CancellationToken.None);
            else
                _ = OriginPass.RecoverAsync(_host, record, ChannelTo(record.Destination).ConnectAsync, sockets: [], _destination.FindReceiver(record.Application), _observer);
        }

        await AgentServer.StartAsync(new AgentServerOptions
        {
            EndPoint = _options.Agent,
            Credentials = _credentials,
            Serve = _destination.ServeAsync,
            Describe = () => new PingReply { HostName = _options.Name, Incarnation = ByteString.CopyFrom(_host.Journal.Incarnation.ToByteArray()) },
            Observer = Say,
        });
    }

    /// <summary>Passes over a link that is warm, as it is between agents that have run for a while.</summary>
    public async Task<PassResult> PassAsync(PassRequest request, IPEndPoint destination)
    {
        DestinationChannel channel = ChannelTo(destination.ToString());
        await channel.PingAsync(CancellationToken.None);
        return await OriginPass.RunAsync(
            _host, request, channel.ConnectAsync, new OtherHost(destination.ToString(), [destination.Address]), _observer, CancellationToken.None);
    }

    private DestinationChannel ChannelTo(string destination) => _channels.GetOrAdd(destination, _ =>
    {
        DestinationChannel channel = new(new DestinationAddress(_options.Other, IPEndPoint.Parse(destination)), _options.Agent.Address, _credentials, Say);
        channel.KeepWarm();
        return channel;
    });

    private static void Say(LinkEvent happened) => Console.WriteLine($"link {happened.Kind} {happened.Peer} {happened.Detail}");
}
