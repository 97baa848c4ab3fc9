using System.Globalization;
using System.Net;
using Tcpcp.Agent.Hold;
using Tcpcp.Linux.Switching;

namespace Tcpcp.PassProcess;

/// <summary>
/// The arguments: <c>LISTEN AGENT JOURNAL BYTES_PER_SECOND [refuse] [kill=SIDE:ACTION] [full=STEP] [sndbuf=BYTES] [close=NUMBER] [offer=SECONDS]
/// [stall=SIDE:ACTION] [tls=DIRECTORY] [name=NAME] [other=NAME] [switch=MECHANISM] [hold=MECHANISM]</c>.
/// </summary>
internal sealed record ProcessOptions
{
    /// <summary>How long the agent keeps an offer. Default 3 s.</summary>
    public TimeSpan OfferLifetime { get; init; } = TimeSpan.FromSeconds(3);

    public required IPEndPoint Service { get; init; }

    public required IPEndPoint Agent { get; init; }

    public required string JournalDirectory { get; init; }

    /// <summary>Limit of what each connection sends.</summary>
    public required int BytesPerSecond { get; init; }

    /// <summary>Takes no connections from elsewhere.</summary>
    public bool Refuses { get; init; }

    /// <summary>The step, as <c>Side:Action</c>, at which the process kills itself (SIGKILL).</summary>
    public string? KillAt { get; init; }

    /// <summary>The step, as <c>Side:Action</c>, at which the pass waits for the order <c>go</c>.</summary>
    public string? StallAt { get; init; }

    /// <summary>Where the certificates are; null: the agents speak without TLS.</summary>
    public string? CertificateDirectory { get; init; }

    /// <summary>This agent's certificate name, and that of the agent that it passes to.</summary>
    public string Name { get; init; } = "";

    public string Other { get; init; } = "";

    /// <summary>The journal has no room for records of that step.</summary>
    public string? FullAt { get; init; }

    /// <summary>Send buffer of the accepted connections in bytes; 0: the kernel's choice.</summary>
    public int SendBufferBytes { get; init; }

    /// <summary>Closes the dormant socket of that number, while it says that it takes the connections.</summary>
    public int? Close { get; init; }

    /// <summary>What switches packets. Default: as the variable TCPCP_TEST_SWITCH says, or automatic.</summary>
    public SwitchChoice PacketSwitch { get; init; } =
        Enum.TryParse(Environment.GetEnvironmentVariable("TCPCP_TEST_SWITCH"), ignoreCase: true, out SwitchChoice choice) ? choice : SwitchChoice.Automatic;

    /// <summary>What packets are held by. Default: as the variable TCPCP_TEST_HOLD says, or automatic.</summary>
    public HoldChoice Hold { get; init; } =
        Enum.TryParse(Environment.GetEnvironmentVariable("TCPCP_TEST_HOLD"), ignoreCase: true, out HoldChoice choice) ? choice : HoldChoice.Automatic;

    public static ProcessOptions Parse(IReadOnlyList<string> arguments)
    {
        ProcessOptions options = new()
        {
            Service = IPEndPoint.Parse(arguments[0]),
            Agent = IPEndPoint.Parse(arguments[1]),
            JournalDirectory = arguments[2],
            BytesPerSecond = int.Parse(arguments[3], CultureInfo.InvariantCulture),
        };
        foreach (string argument in arguments.Skip(4))
        {
            options = argument.Split('=') switch
            {
                ["refuse"] => options with { Refuses = true },
                ["kill", { } step] => options with { KillAt = step },
                ["stall", { } step] => options with { StallAt = step },
                ["tls", { } directory] => options with { CertificateDirectory = directory },
                ["name", { } name] => options with { Name = name },
                ["other", { } name] => options with { Other = name },
                ["full", { } step] => options with { FullAt = step },
                ["sndbuf", { } bytes] => options with { SendBufferBytes = int.Parse(bytes, CultureInfo.InvariantCulture) },
                ["close", { } number] => options with { Close = int.Parse(number, CultureInfo.InvariantCulture) },
                ["offer", { } seconds] => options with { OfferLifetime = TimeSpan.FromSeconds(int.Parse(seconds, CultureInfo.InvariantCulture)) },
                ["switch", { } mechanism] => options with { PacketSwitch = Enum.Parse<SwitchChoice>(mechanism) },
                ["hold", { } mechanism] => options with { Hold = Enum.Parse<HoldChoice>(mechanism) },
                _ => throw new ArgumentException($"'{argument}' is not an argument of this program.", nameof(arguments)),
            };
        }

        return options;
    }
}
