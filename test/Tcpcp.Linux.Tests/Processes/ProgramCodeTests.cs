using Tcpcp.Linux.Processes;
using Xunit;

namespace Tcpcp.Linux.Tests.Processes;

public sealed class ProgramCodeTests
{
    [Fact]
    public void The_code_that_is_given_back_comes_again_when_it_is_used()
    {
        Assert.InRange(ProgramCode.GiveBack(), 1, long.MaxValue);
        // What runs now lay in pages that are gone.
        Assert.InRange(ProgramCode.GiveBack(), 1, long.MaxValue);
        Assert.Equal(2, Enumerable.Range(1, 4).Count(number => number % 2 == 0));
    }
}
