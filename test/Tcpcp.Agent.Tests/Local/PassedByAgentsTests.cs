using static Tcpcp.Agent.Tests.Local.ApplicationLab;

namespace Tcpcp.Agent.Tests.Local;

/// <summary>Live connections of applications that speak with the agents of their hosts, data flowing both ways, the peer's capture judged.</summary>
public sealed class PassedByAgentsTests
{
    [Fact]
    public async Task A_connection_goes_there_and_back_and_leaves_no_socket_behind()
    {
        await using ApplicationLab lab = await CreateAsync();
        await lab.StartApplicationAsync(A);
        await lab.StartApplicationAsync(B);
        await lab.ConverseAsync();
        int[] before = [lab.SocketsOfAgent(A), lab.SocketsOfAgent(B)];
        await PassAsync(lab, A, B, 0);
        await PassAsync(lab, B, A, 0);
        await PassAsync(lab, A, B, 1);
        await lab.FinishAsync();
        await Until.True(() => lab.SocketsOfAgent(A) <= before[0] && lab.SocketsOfAgent(B) <= before[1], state: lab.Log);
    }

    [Fact]
    public async Task A_connection_of_a_Python_program_without_privileges_goes_there_and_back()
    {
        await using ApplicationLab lab = await CreateAsync();
        await lab.StartPythonEchoAsync(A);
        await lab.StartPythonEchoAsync(B);
        await lab.ConverseAsync(isEchoed: true);
        await PassAsync(lab, A, B, 0);
        await PassAsync(lab, B, A, 0);
        await lab.FinishAsync();
    }

    [Fact]
    public async Task Connections_of_the_smallest_sample_leave_when_the_operator_wants_it()
    {
        await using ApplicationLab lab = await CreateAsync();
        await lab.StartEchoAsync(A);
        await lab.StartEchoAsync(B);
        await lab.ConverseAsync(isEchoed: true);
        await lab.WantAsync(A, "echo", B);
        Assert.True(await lab.WantedOutcomeAsync(A) == "None Destination", lab.Log());
        await lab.Conversation.ProgressAsync(500_000);
        await lab.WantAsync(B, "echo", A);
        Assert.True(await lab.WantedOutcomeAsync(B) == "None Destination", lab.Log());
        await lab.FinishAsync();
    }

    [Fact]
    public async Task An_application_that_dies_when_it_is_to_stop_ends_its_connection_as_any_program_does()
    {
        await using ApplicationLab lab = await CreateAsync();
        await lab.StartApplicationAsync(A, killAt: "quiesce");
        await lab.StartApplicationAsync(B);
        await lab.ConverseAsync();
        await lab.OrderPassAsync(A, B);
        await lab.DiesAsync(A);
        await lab.AssertEndedAsync();
    }

    [Fact]
    public async Task A_destinations_application_that_dies_before_its_answer_leaves_the_connection_at_the_origin()
    {
        await using ApplicationLab lab = await CreateAsync();
        await lab.StartApplicationAsync(A);
        await lab.StartApplicationAsync(B, killAt: "examine");
        await lab.ConverseAsync();
        await lab.OrderPassAsync(A, B);
        await lab.DiesAsync(B);
        Assert.EndsWith(" Origin", await lab.OutcomeAsync(A), StringComparison.Ordinal);
        await lab.FinishAsync();
    }

    [Fact]
    public async Task A_destinations_application_that_dies_after_its_answer_ends_the_connection_as_any_program_does()
    {
        await using ApplicationLab lab = await CreateAsync();
        await lab.StartApplicationAsync(A);
        await lab.StartApplicationAsync(B, killAt: "go");
        await lab.ConverseAsync();
        await lab.OrderPassAsync(A, B);
        Assert.Equal("None Destination", await lab.OutcomeAsync(A));
        await lab.DiesAsync(B);
        await lab.AssertEndedAsync();
    }

    [Fact]
    public async Task A_destination_without_the_application_leaves_the_connection_at_the_origin()
    {
        await using ApplicationLab lab = await CreateAsync();
        await lab.StartApplicationAsync(A);
        await lab.ConverseAsync();
        await lab.OrderPassAsync(A, B);
        Assert.Equal("NoApplication Origin", await lab.OutcomeAsync(A));
        await lab.OrderPassAsync(A, "nowhere");
        Assert.Equal("DestinationUnreachable Origin", await lab.OutcomeAsync(A, 1));
        await lab.FinishAsync();
    }

    private static async Task PassAsync(ApplicationLab lab, string from, string to, int number)
    {
        await lab.OrderPassAsync(from, to);
        Assert.True("None Destination" == await lab.OutcomeAsync(from, number), lab.Log());
        await lab.Conversation.ProgressAsync(500_000);
    }
}
