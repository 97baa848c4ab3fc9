using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Tcpcp.AspNetCore.Hosting;

/// <summary>Whether connections could be passed now.</summary>
internal sealed class AgentHealthCheck(AgentLink link) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) => Task.FromResult(link.Client is { IsConnected: true } client
        ? HealthCheckResult.Healthy($"The agent is {client.Host}.")
        : new HealthCheckResult(context.Registration.FailureStatus, "The agent of this host is not there: connections end when the application stops."));
}
