using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Tcpcp.AspNetCore;
using Tcpcp.AspNetCore.Hosting;
using Tcpcp.AspNetCore.Passing;
using Tcpcp.AspNetCore.Responses;
using Tcpcp.AspNetCore.Transport;

namespace Microsoft.AspNetCore.Hosting;

/// <summary>Lets a server pass its connections to other hosts.</summary>
public static class TcpcpExtensions
{
    /// <summary>Connections of this server's TCP endpoints can be passed to the same application on other hosts, and those from there come here.</summary>
    /// <param name="builder">The server's.</param>
    /// <param name="configure">Changes what the section <c>Tcpcp</c> of the configuration says.</param>
    public static IWebHostBuilder UseTcpcp(this IWebHostBuilder builder, Action<TcpcpOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.ConfigureServices(services =>
        {
            if (services.Any(service => service.ServiceType == typeof(PassableTransport)))
                return;
            services.AddMetrics();
            services.AddSingleton<TcpcpOptionsSetup>();
            services.AddSingleton<IConfigureOptions<TcpcpOptions>>(provider => provider.GetRequiredService<TcpcpOptionsSetup>());
            services.AddSingleton<IPostConfigureOptions<TcpcpOptions>>(provider => provider.GetRequiredService<TcpcpOptionsSetup>());
            services.AddSingleton<IValidateOptions<TcpcpOptions>>(provider => provider.GetRequiredService<TcpcpOptionsSetup>());
            services.AddOptions<TcpcpOptions>().Configure(options => configure?.Invoke(options)).ValidateOnStart();
            services.AddSingleton<TcpcpMetrics>();
            services.AddSingleton<ServerConnections>();
            services.AddSingleton<FileExaminer>();
            services.AddSingleton<PassableTransport>();
            services.AddSingleton<IConnectionListenerFactory>(provider => provider.GetRequiredService<PassableTransport>()); // after Kestrel's own, so asked before it
            services.AddSingleton<ConnectionPasses>();
            services.AddSingleton<AgentLink>();
            services.AddSingleton<ConnectionDrain>();
            services.TryAddSingleton<IConnectionDrain>(provider => provider.GetRequiredService<ConnectionDrain>());
            services.AddHostedService<TcpcpService>();
            services.Insert(0, ServiceDescriptor.Singleton<IStartupFilter, RequestBoundaries.Filter>()); // no other middleware comes before
        });
    }

    /// <summary>Healthy while the agent of this host is there.</summary>
    /// <param name="builder">The application's checks.</param>
    /// <param name="name">Of the check.</param>
    /// <param name="failureStatus">What it is otherwise. Default <see cref="HealthStatus.Degraded"/>: the application serves its clients all the same.</param>
    /// <param name="tags">To filter by.</param>
    public static IHealthChecksBuilder AddTcpcp(
        this IHealthChecksBuilder builder, string name = "tcpcp", HealthStatus failureStatus = HealthStatus.Degraded, IEnumerable<string>? tags = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.Add(new HealthCheckRegistration(name, provider => new AgentHealthCheck(provider.GetRequiredService<AgentLink>()), failureStatus, tags));
    }

    /// <summary>
    /// Maps an endpoint that passes all connections on a POST, and answers with a <see cref="DrainReport"/> as JSON; <c>?to=</c> names the destination. Whoever reaches it can move the server's
    /// clients: require an authorization of your own, as with any endpoint for operators.
    /// </summary>
    /// <param name="endpoints">The application's.</param>
    /// <param name="pattern">Of the route.</param>
    public static IEndpointConventionBuilder MapTcpcpDrain(this IEndpointRouteBuilder endpoints, string pattern = "/tcpcp/drain")
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        ConnectionDrain drain = endpoints.ServiceProvider.GetRequiredService<ConnectionDrain>();
        return endpoints.MapPost(pattern, (RequestDelegate)(context => DrainEndpoint.HandleAsync(context, drain)));
    }
}
