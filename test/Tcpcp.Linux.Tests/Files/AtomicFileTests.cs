using System.Runtime.Versioning;
using Tcpcp.Linux.Files;

namespace Tcpcp.Linux.Tests.Files;

[SupportedOSPlatform("linux")]
public sealed class AtomicFileTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("tcpcp-file-").FullName;

    private string Target => Path.Combine(_directory, "file");

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void It_appears_whole_under_its_name_for_its_owner_alone()
    {
        using AtomicFile file = AtomicFile.Create(Target);
        file.Write("content"u8);
        Assert.False(File.Exists(Target));
        file.Publish(replace: false);
        Assert.Equal("content", File.ReadAllText(Target));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Target));
        Assert.Single(Directory.EnumerateFileSystemEntries(_directory));
    }

    [Fact]
    public void Leaving_the_scope_before_leaves_nothing()
    {
        using (AtomicFile file = AtomicFile.Create(Target))
            file.Write("content"u8);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_directory));
    }

    [Theory]
    [InlineData(false, "old")]
    [InlineData(true, "new")]
    public void A_file_that_is_there_is_replaced_only_on_demand(bool replace, string content)
    {
        File.WriteAllText(Target, "old");
        using (AtomicFile file = AtomicFile.Create(Target))
        {
            file.Write("new"u8);
            IOException? refused = Record.Exception(() => file.Publish(replace)) as IOException;
            Assert.Equal(replace, refused is null);
        }

        Assert.Equal(content, File.ReadAllText(Target));
        Assert.Single(Directory.EnumerateFileSystemEntries(_directory));
    }

    [Fact]
    public void Of_two_that_rename_a_file_one_is_told_that_it_is_gone()
    {
        File.WriteAllText(Target, "x");
        AtomicFile.Rename(Target, Target + ".used");
        Assert.Throws<FileNotFoundException>(() => AtomicFile.Rename(Target, Target + ".used"));
        Assert.True(File.Exists(Target + ".used"));
    }
}
