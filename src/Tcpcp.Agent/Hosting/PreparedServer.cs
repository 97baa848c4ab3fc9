using Tcpcp.Agent.Link;
using Tcpcp.Core.Wire;

namespace Tcpcp.Agent.Hosting;

/// <summary>What others reach an agent by, before it listens: its certificate, its server, and what /metrics and /healthz show.</summary>
internal sealed record PreparedServer(AgentCredentials Credentials, MetricsExport Export, AgentServer Server) : IAsyncDisposable
{
    /// <param name="serve">Serves an origin's stream.</param>
    /// <param name="complete">Adds what else is answered.</param>
    /// <exception cref="CertificateException">The files of the certificate cannot be used.</exception>
    public static PreparedServer New(
        AgentConfiguration configuration, Guid incarnation, PassTelemetry telemetry, PassServing serve, Func<AgentServerOptions, AgentServerOptions> complete)
    {
        AgentCredentials credentials = AgentCredentials.Open(configuration.Certificates, telemetry.Observe);
        MetricsExport export = new(configuration);
        return new PreparedServer(credentials, export, AgentServer.Prepare(complete(new AgentServerOptions
        {
            EndPoint = configuration.Listen,
            Credentials = credentials,
            Serve = serve,
            Describe = () => new PingReply
            {
                AgentVersion = AgentVersion.Current,
                HostName = configuration.Name,
                Incarnation = Google.Protobuf.ByteString.CopyFrom(incarnation.ToByteArray()),
            },
            Observer = telemetry.Observe,
            Listen = export.Listen,
            Map = export.Map,
        })));
    }

    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        Export.Dispose();
    }
}
