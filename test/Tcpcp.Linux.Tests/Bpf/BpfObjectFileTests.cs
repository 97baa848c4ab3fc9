using Tcpcp.Linux.Bpf;
using Tcpcp.Linux.Processes;
using Tcpcp.Linux.Switching;

namespace Tcpcp.Linux.Tests.Bpf;

public class BpfObjectFileTests
{
    private const string Section = "tcx/ingress";

    [Fact]
    public async Task The_embedded_bytecode_is_that_of_the_source()
    {
        string? repository = AppContext.BaseDirectory;
        while (repository is not null && !File.Exists(Path.Combine(repository, "eng", "build-bpf.sh")))
            repository = Path.GetDirectoryName(repository);
        Assert.SkipWhen(repository is null, "The source is not here.");
        Assert.SkipUnless(HasCompiler(), "clang 14 is not installed: apt-get install clang-14");
        string directory = Directory.CreateTempSubdirectory("tcpcp-bpf").FullName;
        try
        {
            await using ChildProcess build = ChildProcess.Start("bash", [Path.Combine(repository!, "eng", "build-bpf.sh"), directory]);
            string errors = await build.ErrorOutput!.Completed;
            Assert.True(await build.Exit == 0, errors);
            foreach (string source in Directory.GetFiles(Path.Combine(repository!, "bpf"), "*.c"))
            {
                string name = Path.GetFileNameWithoutExtension(source) + ".o";
                byte[] built = await File.ReadAllBytesAsync(Path.Combine(directory, name), TestContext.Current.CancellationToken);
                Assert.True(built.AsSpan().SequenceEqual(Embedded(name)), $"bpf/{name} is not of its source: run eng/build-bpf.sh");
            }
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [Fact]
    public void Maps_are_put_where_the_program_names_them()
    {
        Assert.Equal(["connections", "releases"], BpfPacketSwitch.Program.MapReferences.Select(reference => reference.Map));
        byte[] linked = BpfPacketSwitch.Program.Link(name => name == "connections" ? 0x01020304 : 0x05060708);
        Assert.Equal((byte[][])[[0x18, 0x11, 0, 0, 4, 3, 2, 1], [0x18, 0x11, 0, 0, 8, 7, 6, 5]],
            BpfPacketSwitch.Program.MapReferences.Select(reference => linked[reference.Offset..(reference.Offset + 8)]));
    }

    [Fact]
    public void A_damaged_object_is_refused_as_such()
    {
        byte[] file = Embedded("packet_switch.o");
        for (int length = 0; length < file.Length; length += 7)
            ParseDamaged(file[..length]);
        Random random = new(1);
        for (int i = 0; i < 5000; i++)
        {
            byte[] damaged = [.. file];
            damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            ParseDamaged(damaged);
        }

        Assert.Throws<InvalidDataException>(() => BpfObjectFile.Parse(file, "none"));
    }

    private static void ParseDamaged(byte[] file)
    {
        try
        {
            BpfObjectFile.Parse(file, Section);
        }
        catch (InvalidDataException)
        {
            // Nothing else may come.
        }
    }

    private static byte[] Embedded(string name)
    {
        using Stream resource = typeof(BpfPacketSwitch).Assembly.GetManifestResourceStream(name)!;
        byte[] file = new byte[resource.Length];
        resource.ReadExactly(file);
        return file;
    }

    private static bool HasCompiler() => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(path => File.Exists(Path.Combine(path, "clang-14")));
}
