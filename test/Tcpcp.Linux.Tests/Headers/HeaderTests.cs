using System.Reflection;
using System.Runtime.InteropServices;

namespace Tcpcp.Linux.Tests.Headers;

/// <summary>The C compiler compares our constants and structures with the system headers.</summary>
public class HeaderTests
{
    // What came into the headers late: a machine with older ones cannot check it.
    private static readonly string[] s_young =
    [
        "SO_BUF_LOCK", "SOCK_SNDBUF_LOCK", "SOCK_RCVBUF_LOCK", "SO_NETNS_COOKIE", "P_PIDFD", "TCP_AO_INFO",
        "BPF_TCX_INGRESS", "BPF_STRUCT_OPS", "BPF_F_BEFORE", "BPF_F_AFTER", "BPF_F_LINK",
    ];

    private static Type[] Types { get; } =
        [.. typeof(KernelHeaderAttribute).Assembly.GetTypes().Where(type => type.GetCustomAttribute<KernelHeaderAttribute>() is not null)];

    [Fact]
    public async Task Constants_and_structures_are_those_of_the_system_headers()
    {
        await HeaderProgram.RequireCompilerAsync();
        (int constants, int structures, int named) = (0, 0, 0);
        List<string> faults = [];
        foreach (Type type in Types)
        {
            KernelHeaderAttribute header = type.GetCustomAttribute<KernelHeaderAttribute>()!;
            int checkedHere = await CheckAsync(type.Name, header.Headers, HeaderAssertions.Of(type), faults);
            if (header.Structure is null)
                constants += checkedHere;
            else if (checkedHere > 0)
                structures++;
        }

        foreach ((string header, HeaderAssertion[] assertions) in NamedValues.All)
            named += await CheckAsync(header, [header], assertions, faults);

        Assert.True(faults.Count == 0, string.Join('\n', faults));
        TestContext.Current.TestOutputHelper!.WriteLine($"checked: {constants} constants, {structures} structures, {named} values with other names");
        Assert.True(constants >= 140, $"Only {constants} constants were checked.");
        Assert.True(structures >= 15, $"Only {structures} structures were checked.");
        Assert.True(named >= 50, $"Only {named} other values were checked.");
    }

    [Fact]
    public void Every_constant_with_a_name_of_the_C_headers_says_which_header_it_is_from()
    {
        IEnumerable<string> loose =
            from type in typeof(KernelHeaderAttribute).Assembly.GetTypes()
            where type.GetCustomAttribute<KernelHeaderAttribute>() is null && !type.IsEnum
            from constant in HeaderAssertions.ConstantsOf(type)
            select $"{type.Name}.{constant.Name}";
        Assert.Empty(loose);
    }

    [Fact]
    public async Task A_wrong_constant_is_found()
    {
        await HeaderProgram.RequireCompilerAsync();
        HeaderVerdict verdict = await HeaderProgram.CompileAsync(["errno.h", "linux/tcp.h"], HeaderAssertions.Of(typeof(PlantedConstants)));
        Assert.Equal(["PlantedConstants.EPERM", "PlantedConstants.TCP_SEND_QUEUE"], verdict.False.Select(assertion => assertion.Subject).Order());
        Assert.Equal(["PlantedConstants.ENOENT"], verdict.True.Select(assertion => assertion.Subject));
        Assert.StartsWith("PlantedConstants.ENOSUCHERROR: ", Assert.Single(verdict.Undefined), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_wrong_structure_is_found()
    {
        await HeaderProgram.RequireCompilerAsync();
        HeaderVerdict verdict = await HeaderProgram.CompileAsync(["poll.h"], HeaderAssertions.Of(typeof(PlantedStructure)));
        Assert.Equal(
            [
                "sizeof(struct pollfd) == 12",
                "sizeof(((struct pollfd *)0)->events) == 4",
                "(long long)(offsetof(struct pollfd, revents)) == 8LL",
            ],
            verdict.False.Select(assertion => assertion.Condition));
        Assert.Equal(4, verdict.True.Count);
    }

    [Fact]
    public async Task A_header_that_is_not_installed_is_named()
    {
        await HeaderProgram.RequireCompilerAsync();
        Assert.Equal("no/such.h", (await HeaderProgram.CompileAsync(["errno.h", "no/such.h"], [])).MissingHeader);
    }

    private static async Task<int> CheckAsync(
        string subject, IReadOnlyCollection<string> headers, IReadOnlyList<HeaderAssertion> assertions, List<string> faults)
    {
        HeaderVerdict verdict = await HeaderProgram.CompileAsync(headers, assertions);
        faults.AddRange(verdict.False.Select(assertion => $"{assertion.Subject}: not {assertion.Condition}"));
        foreach (string undefined in verdict.Undefined)
        {
            if (s_young.Any(name => undefined.Contains($".{name}:", StringComparison.Ordinal)))
                TestContext.Current.TestOutputHelper!.WriteLine($"unchecked, the headers are too old: {undefined}");
            else
                faults.Add(undefined);
        }

        if (verdict.MissingHeader is { } missing)
            TestContext.Current.TestOutputHelper!.WriteLine($"unchecked, {missing} is not installed: {subject}");
        return verdict.True.Count;
    }

    [KernelHeader("errno.h", "linux/tcp.h")]
    private static class PlantedConstants
    {
        public const int EPERM = 2;
        public const int ENOENT = 2;
        public const int TCP_SEND_QUEUE = 1;
        public const int ENOSUCHERROR = 3;
    }

    [KernelHeader("poll.h", Structure = "struct pollfd")]
    [StructLayout(LayoutKind.Sequential)]
    private struct PlantedStructure
    {
        public int fd;
        public int events;
        public short revents;
    }
}
