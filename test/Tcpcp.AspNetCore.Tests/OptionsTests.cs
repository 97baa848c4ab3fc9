using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Tcpcp.AspNetCore.Tests;

/// <summary>The options: where they come from, and what is wrong with them.</summary>
public sealed class OptionsTests
{
    [Fact]
    public void They_come_from_the_configuration_and_then_from_the_code()
    {
        TcpcpOptions options = Read(
            one => one.MaxConcurrentPasses = 3,
            "--Tcpcp:Application", "shop", "--Tcpcp:Destinations:0", "host-b", "--Tcpcp:Destinations:1", "host-c", "--Tcpcp:QuiesceTimeout", "00:00:00.5", "--Tcpcp:MaxConcurrentPasses", "9");
        Assert.Equal(("shop", 3), (options.Application, options.MaxConcurrentPasses));
        Assert.Equal(["host-b", "host-c"], options.Destinations);
        Assert.Equal(TimeSpan.FromMilliseconds(500), options.QuiesceTimeout);
    }

    [Fact]
    public void The_application_has_the_name_of_its_environment_unless_it_is_given_one() => Assert.Equal("Tcpcp.AspNetCore.Tests", Read(null).Application);

    [Theory]
    [InlineData("QuiesceTimeout", "soon")]
    [InlineData("DrainTimeout", "-00:00:01")]
    [InlineData("MaxConcurrentPasses", "many")]
    [InlineData("AgentSocket", "agent.sock")]
    [InlineData("Destinations:0", "")]
    [InlineData("Application", "a\nb")]
    public void What_is_wrong_is_named_by_its_key(string key, string value)
    {
        OptionsValidationException refusal = Assert.Throws<OptionsValidationException>(() => Read(null, $"--Tcpcp:{key}", value));
        Assert.Contains($"Tcpcp:{key.Split(':')[0]}", refusal.Message, StringComparison.Ordinal);
    }

    private static TcpcpOptions Read(Action<TcpcpOptions>? configure, params string[] arguments)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { Args = arguments, ApplicationName = "Tcpcp.AspNetCore.Tests" });
        builder.WebHost.UseTcpcp(configure);
        using WebApplication application = builder.Build();
        return application.Services.GetRequiredService<IOptions<TcpcpOptions>>().Value;
    }
}
