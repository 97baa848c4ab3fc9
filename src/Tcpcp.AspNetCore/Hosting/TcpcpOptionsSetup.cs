using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Tcpcp.AspNetCore.Hosting;

/// <summary>Reads the options, and says what is wrong with them.</summary>
internal sealed class TcpcpOptionsSetup(IConfiguration configuration, IHostEnvironment environment)
    : IConfigureOptions<TcpcpOptions>, IPostConfigureOptions<TcpcpOptions>, IValidateOptions<TcpcpOptions>
{
    private const int MaxNameLength = 128;

    public void Configure(TcpcpOptions options)
    {
        IConfigurationSection section = configuration.GetSection(TcpcpOptions.SectionName);
        options.Application = section[nameof(TcpcpOptions.Application)] ?? options.Application;
        options.AgentSocket = section[nameof(TcpcpOptions.AgentSocket)] ?? options.AgentSocket;
        foreach (IConfigurationSection destination in section.GetSection(nameof(TcpcpOptions.Destinations)).GetChildren())
            options.Destinations.Add(destination.Value ?? "");
        options.QuiesceTimeout = TimeOf(section, nameof(TcpcpOptions.QuiesceTimeout)) ?? options.QuiesceTimeout;
        options.DrainTimeout = TimeOf(section, nameof(TcpcpOptions.DrainTimeout)) ?? options.DrainTimeout;
        if (section[nameof(TcpcpOptions.MaxConcurrentPasses)] is { } count)
            options.MaxConcurrentPasses = int.TryParse(count, System.Globalization.CultureInfo.InvariantCulture, out int value) ? value : 0;
    }

    public void PostConfigure(string? name, TcpcpOptions options)
    {
        if (options.Application.Length == 0)
            options.Application = environment.ApplicationName;
    }

    public ValidateOptionsResult Validate(string? name, TcpcpOptions options)
    {
        List<string> faults = [];
        if (options.Application.Length is 0 or > MaxNameLength || options.Application.Any(char.IsControl))
            faults.Add($"{Key(nameof(options.Application))} has 1 to {MaxNameLength} characters, none of them a control character.");
        if (!Path.IsPathRooted(options.AgentSocket))
            faults.Add($"{Key(nameof(options.AgentSocket))} is the whole path of the agent's socket.");
        if (options.Destinations.Any(string.IsNullOrEmpty))
            faults.Add($"{Key(nameof(options.Destinations))} are names of agents.");
        if (options.QuiesceTimeout <= TimeSpan.Zero)
            faults.Add($"{Key(nameof(options.QuiesceTimeout))} is longer than 0, written as 00:00:01.5.");
        if (options.DrainTimeout <= TimeSpan.Zero)
            faults.Add($"{Key(nameof(options.DrainTimeout))} is longer than 0, written as 00:00:20.");
        if (options.MaxConcurrentPasses is < 1 or > 1024)
            faults.Add($"{Key(nameof(options.MaxConcurrentPasses))} is a number from 1 to 1024.");
        return faults.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(faults);
    }

    private static string Key(string name) => $"{TcpcpOptions.SectionName}:{name}";

    // What is no time is found by the validation.
    private static TimeSpan? TimeOf(IConfigurationSection section, string name) =>
        section[name] is not { } text ? null : TimeSpan.TryParse(text, System.Globalization.CultureInfo.InvariantCulture, out TimeSpan value) ? value : TimeSpan.Zero;
}
