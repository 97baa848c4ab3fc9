using Tcpcp.Agent.Passing;

namespace Tcpcp.Agent.Tests.Recovery;

/// <summary>
/// Whatever happens at whatever step of a pass between two real agents with living applications: the connection goes on at exactly one host with every byte, or has
/// ended where the design says that it must.
/// </summary>
public sealed class RecoveryTests(RecoveryTests.SharedLab shared) : IClassFixture<RecoveryTests.SharedLab>
{
    public static TheoryData<RecoveryFault, string, string> Cases()
    {
        // "all", or a part of "AgentKilled Origin Sent". By default a killed agent at every step, and of the other faults every sixth one.
        string? only = Environment.GetEnvironmentVariable("TCPCP_RECOVERY");
        (PassSide Side, PassAction Step)[] steps =
        [
            .. RecoveryRules.OriginSteps.Select(step => (PassSide.Origin, step)), .. RecoveryRules.DestinationSteps.Select(step => (PassSide.Destination, step)),
        ];
        TheoryData<RecoveryFault, string, string> cases = [];
        foreach (RecoveryFault fault in Enum.GetValues<RecoveryFault>())
        {
            for (int i = 0; i < steps.Length; i++)
            {
                (PassSide side, PassAction step) = steps[i];
                if (only is null ? fault == RecoveryFault.AgentKilled || (i + (int)fault) % 6 == 0 : only == "all" || $"{fault} {side} {step}".Contains(only, StringComparison.Ordinal))
                    cases.Add(fault, side.ToString(), step.ToString());
            }
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task A_connection_is_where_the_design_says(RecoveryFault fault, string side, string step)
    {
        RecoveryLab lab = await shared.TakeAsync();
        await lab.RunAsync(fault, Enum.Parse<PassSide>(side), Enum.Parse<PassAction>(step));
        shared.GiveBack(lab);
    }

    /// <summary>A lab that a failed case has had is not used again.</summary>
    public sealed class SharedLab : IAsyncLifetime
    {
        private readonly List<RecoveryLab> _taken = [];
        private RecoveryLab? _free;

        public ValueTask InitializeAsync() => ValueTask.CompletedTask;

        public async ValueTask DisposeAsync()
        {
            foreach (RecoveryLab lab in _taken)
                await lab.DisposeAsync();
            if (_free is not null)
                await _free.DisposeAsync();
        }

        internal async Task<RecoveryLab> TakeAsync()
        {
            foreach (RecoveryLab spoiled in _taken)
                await spoiled.DisposeAsync();
            _taken.Clear();
            RecoveryLab lab = _free ?? await RecoveryLab.CreateAsync();
            _free = null;
            _taken.Add(lab);
            return lab;
        }

        internal void GiveBack(RecoveryLab lab)
        {
            _taken.Remove(lab);
            _free = lab;
        }
    }
}
