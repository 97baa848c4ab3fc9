using System.Diagnostics;
using System.Globalization;
using Tcpcp.Agent.Passing;
using Tcpcp.Agent.Tests.Conversations;
using Tcpcp.Core.Wire;
using static Tcpcp.Agent.Tests.Conversations.ConversationLab;
using Body = Tcpcp.Core.Wire.PassMessage.BodyOneofCase;

namespace Tcpcp.Agent.Tests;

/// <summary>
/// The link between two agents breaks at each class of byte boundaries of a transfer and of what answers it, with data flowing both ways. The connection goes
/// on at one host: at the destination if it had the whole transfer, else at the origin.
/// </summary>
public sealed class BrokenLinkTests
{
    private const int PrefixBytes = 4;
    private const int Progress = 500_000;
    private const int LargeSendBuffer = 2 << 20; // the kernel doubles it; what is queued is more than one chunk of a transfer

    private const int LongOfferSeconds = 30; // longer than a busy machine takes for a transfer
    private const int ShortOfferSeconds = 6;
    private const int MoreThanALinkHolds = 8 << 20; // the rest of the transfer waits in the origin's call

    private static readonly Dictionary<string, LinkFault> s_faults = new(StringComparer.Ordinal)
    {
        ["before the transfer"] = new(IsTransfer, _ => 0),
        ["within the length"] = new(IsTransfer, _ => 2),
        ["after the length"] = new(IsTransfer, _ => PrefixBytes),
        ["in the middle"] = new(IsTransfer, length => length / 2),
        ["one byte before the end"] = new(IsTransfer, length => length - 1),
        ["between two chunks"] = new(IsFirstOfSeveral, length => length),
        ["in the middle of the last chunk"] = new(IsLast, length => length / 2),
        ["after the transfer"] = new(IsLast, length => length),
        ["before the verdict"] = new(Is(Body.Verdict), _ => 0),
        ["within the verdict"] = new(Is(Body.Verdict), length => length / 2),
        ["after the verdict"] = new(Is(Body.Verdict), length => length),
        ["within Active"] = new(Is(Body.Active), length => length / 2),
        ["before the Forget"] = new(Is(Body.Forget), _ => 0),
        ["within the Forget"] = new(Is(Body.Forget), length => length / 2),
        ["after the Forget"] = new(Is(Body.Forget), length => length),
        ["within Forgotten"] = new(Is(Body.Forgotten), length => length / 2),
    };

    [Theory]
    [InlineData("before the transfer", false)]
    [InlineData("within the length", false)]
    [InlineData("after the length", false)]
    [InlineData("in the middle", false)]
    [InlineData("in the middle", true)]
    [InlineData("one byte before the end", false)]
    public async Task A_link_that_breaks_before_the_transfer_is_whole_leaves_the_connection_at_the_origin(string where, bool ipv6)
    {
        await using ConversationLab lab = await BreakAsync(s_faults[where], ipv6: ipv6);
        await AssertAtOriginAsync(lab);
    }

    [Theory]
    [InlineData("between two chunks")]
    [InlineData("in the middle of the last chunk")]
    public async Task So_does_one_that_breaks_within_a_transfer_of_several_chunks(string where)
    {
        await using ConversationLab lab = await BreakAsync(s_faults[where], sendBuffer: LargeSendBuffer);
        await AssertAtOriginAsync(lab);
    }

    [Theory]
    [InlineData("before the verdict", false)]
    [InlineData("before the verdict", true)]
    [InlineData("within the verdict", false)]
    [InlineData("after the verdict", false)]
    [InlineData("within Active", false)]
    [InlineData("before the Forget", false)]
    [InlineData("within the Forget", false)]
    [InlineData("after the Forget", false)]
    [InlineData("within Forgotten", false)]
    public async Task A_link_that_breaks_when_the_transfer_is_whole_leaves_the_connection_at_the_destination(string where, bool ipv6)
    {
        await using ConversationLab lab = await BreakAsync(s_faults[where], ipv6: ipv6);
        await AssertAtDestinationAsync(lab);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(LargeSendBuffer)]
    public async Task So_does_one_that_breaks_after_the_transfer_when_the_destination_is_asked_after_its_verdict(int sendBuffer)
    {
        await using ConversationLab lab = await BreakAsync(s_faults["after the transfer"] with { StaysDown = true }, sendBuffer: sendBuffer);
        await lab.StepAsync(B, $"Destination:{nameof(PassAction.Accepted)}");
        lab.Proxy.Heal();
        await AssertAtDestinationAsync(lab);
    }

    // The question comes over another link and may overtake the transfer, which is refused then.
    [Theory]
    [InlineData(0)]
    [InlineData(LargeSendBuffer)]
    public async Task A_destination_that_is_asked_at_once_has_decided_or_refuses(int sendBuffer)
    {
        await using ConversationLab lab = await BreakAsync(s_faults["after the transfer"], sendBuffer: sendBuffer);
        await lab.OutcomeAsync(A);
        await (lab.HasStep(B, $"Destination:{nameof(PassAction.Accepted)}") ? AssertAtDestinationAsync(lab) : AssertAtOriginAsync(lab));
    }

    [Theory]
    [InlineData("in the middle", A)]
    [InlineData("within the verdict", B)]
    [InlineData("after the verdict", B)]
    public async Task A_link_that_is_down_until_the_offer_has_expired_changes_nothing_of_that(string where, string owner)
    {
        await using ConversationLab lab = await BreakAsync(s_faults[where] with { StaysDown = true }, offerSeconds: ShortOfferSeconds);
        long broken = Stopwatch.GetTimestamp();
        await Until.True(() => Stopwatch.GetElapsedTime(broken).TotalSeconds > ShortOfferSeconds);
        lab.Proxy.Heal();
        await (owner == A ? AssertAtOriginAsync(lab) : AssertAtDestinationAsync(lab));
    }

    [Theory]
    [InlineData("in the middle", 0, A)]
    [InlineData("in the middle", MoreThanALinkHolds, A)]
    [InlineData("after the transfer", 0, B)]
    public async Task A_link_that_falls_silent_is_replaced_when_the_time_of_the_decision_is_up(string where, int sendBuffer, string owner)
    {
        await using ConversationLab lab = await BreakAsync(s_faults[where] with { IsSilent = true }, sendBuffer: sendBuffer);
        await (owner == A ? AssertAtOriginAsync(lab) : AssertAtDestinationAsync(lab));
    }

    private static async Task<ConversationLab> BreakAsync(LinkFault fault, bool ipv6 = false, int sendBuffer = 0, int offerSeconds = LongOfferSeconds)
    {
        ConversationLab lab = await ConversationLab.CreateAsync(ipv6);
        try
        {
            await lab.StartAsync(A, sendBuffer > 0 ? [$"sndbuf={sendBuffer}"] : []);
            await lab.StartAsync(B, $"offer={offerSeconds}");
            lab.Break(fault);
            await lab.Converse().ProgressAsync(Progress);
            await lab.OrderPassAsync(A, Between);
            await Until.True(() => lab.Proxy.Broken.IsCompleted, state: () => $"{lab.Log(A)} {lab.Log(B)}");
            if (sendBuffer > 0)
                Assert.True(CapturedBytes(lab.Log(A)) > AgentLimits.MaxChunkBytes, lab.Log(A));
            return lab;
        }
        catch
        {
            await lab.DisposeAsync();
            throw;
        }
    }

    private static async Task AssertAtOriginAsync(ConversationLab lab)
    {
        Assert.EndsWith(" Origin", await lab.OutcomeAsync(A), StringComparison.Ordinal);
        await lab.FinishAsync(owner: A);
        await lab.AssertCleanAsync();
    }

    private static async Task AssertAtDestinationAsync(ConversationLab lab)
    {
        Assert.Equal("None Destination", await lab.OutcomeAsync(A));
        await lab.FinishAsync(owner: B);
        await lab.AssertCleanAsync();
    }

    private static long CapturedBytes(string log) =>
        log.Split('\n').First(line => line.StartsWith("step Origin:Captured ", StringComparison.Ordinal)).Split(' ')
            .Sum(word => long.TryParse(word, CultureInfo.InvariantCulture, out long bytes) ? bytes : 0);

    private static Func<PassMessage, bool> Is(Body kind) => message => message.BodyCase == kind;

    private static bool IsTransfer(PassMessage message) => message.BodyCase == Body.Transfer;

    private static bool IsLast(PassMessage message) => IsTransfer(message) && message.Transfer.Last;

    private static bool IsFirstOfSeveral(PassMessage message) => IsTransfer(message) && !message.Transfer.Last;
}
