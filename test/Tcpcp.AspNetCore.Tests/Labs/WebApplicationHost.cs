using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Tcpcp.EndToEnd.Tests;
using Tcpcp.EndToEnd.Tests.Agents;

namespace Tcpcp.AspNetCore.Tests.Labs;

/// <summary>An application of this process whose sockets are on a host of a lab.</summary>
internal sealed class WebApplicationHost : IAsyncDisposable
{
    public const string Name = "web";
    public const string CertificateSubject = "CN=web.example.net";
    public const int TlsPort = 8443;
    public const int Http2Port = 8082;

    private static readonly Lazy<X509Certificate2> s_certificate = new(() =>
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new(CertificateSubject, key, HashAlgorithmName.SHA256);
        return request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
    });

    private WebApplicationHost(LabAgent agent, WebApplication application) => (Agent, Application) = (agent, application);

    public LabAgent Agent { get; }

    public WebApplication Application { get; }

    public IConnectionDrain Drain => Application.Services.GetRequiredService<IConnectionDrain>();

    public static async Task<WebApplicationHost> StartAsync(LabAgent agent, Action<WebApplication> map, string? contentRoot = null, Action<TcpcpOptions>? configure = null,
        Action<IServiceCollection>? configureServices = null)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ContentRootPath = contentRoot });
        builder.Logging.ClearProviders();
        builder.Services.Configure<SocketTransportOptions>(options =>
            options.CreateBoundListenSocket = endPoint => agent.Host.Run(() => SocketTransportOptions.CreateDefaultBoundListenSocket(endPoint)));
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.FromSeconds(10));
        builder.WebHost.UseKestrelHttpsConfiguration().ConfigureKestrel(options =>
        {
            options.Listen(IPAddress.Any, AgentLab.Port);
            options.Listen(IPAddress.Any, Http2Port, one => one.Protocols = HttpProtocols.Http2);
            options.Listen(IPAddress.Any, TlsPort, one => one.UseHttps(s_certificate.Value));
        });
        builder.WebHost.UseTcpcp(options =>
        {
            (options.Application, options.AgentSocket) = (Name, agent.SocketPath);
            configure?.Invoke(options);
        });
        configureServices?.Invoke(builder.Services);
        WebApplication application = builder.Build();
        map(application);
        WebApplicationHost host = new(agent, application);
        await application.StartAsync();
        return host;
    }

    public ValueTask DisposeAsync() => Application.DisposeAsync();
}
