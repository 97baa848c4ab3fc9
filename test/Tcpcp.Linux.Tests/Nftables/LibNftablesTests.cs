using Microsoft.Win32.SafeHandles;
using Tcpcp.Linux.Nftables;

namespace Tcpcp.Linux.Tests.Nftables;

public sealed class LibNftablesTests : IDisposable
{
    private readonly LoopbackHost _host = new();

    public void Dispose() => _host.Dispose();

    [Fact]
    public void A_program_with_many_descriptors_uses_it_in_the_caller_s_namespace_and_keeps_them()
    {
        SafeFileHandle[] open = [.. Enumerable.Range(0, 1100).Select(_ => File.OpenHandle("/dev/zero"))];
        try
        {
            _host.Run(() => LibNftables.Run("add table inet many"));
            Assert.Contains("table inet many", _host.Run(() => LibNftables.Run("list tables")), StringComparison.Ordinal);
            Assert.Throws<NftablesException>(() => _host.Run(() => LibNftables.Run("delete table inet none")));
            Assert.All(open, handle => Assert.Equal(1, RandomAccess.Read(handle, new byte[1], 0)));
        }
        finally
        {
            foreach (SafeFileHandle handle in open)
                handle.Dispose();
        }
    }
}
