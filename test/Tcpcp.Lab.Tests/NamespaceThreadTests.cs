using Tcpcp.Linux.Namespaces;

namespace Tcpcp.Lab.Tests;

public class NamespaceThreadTests
{
    [Fact]
    public async Task An_exception_comes_back_to_the_caller()
    {
        using NamespaceThread thread = NamespaceThread.Start("test");
        Assert.Throws<FormatException>(() => thread.Run(() => int.Parse("x", System.Globalization.CultureInfo.InvariantCulture)));
        await Assert.ThrowsAsync<FormatException>(() => thread.RunAsync(() => int.Parse("x", System.Globalization.CultureInfo.InvariantCulture)));
    }

    [Fact]
    public void Run_inside_of_Run_works()
    {
        using NamespaceThread thread = NamespaceThread.Start("test");
        Assert.Equal(thread.NetworkNamespace.Name, thread.Run(() => thread.Run(CurrentNetwork)));
    }

    [Fact]
    public async Task What_follows_an_asynchronous_run_is_in_the_process_s_own_namespace()
    {
        string own = CurrentNetwork();
        using NamespaceThread thread = NamespaceThread.Start("test");
        string[] after = await Task.WhenAll(Enumerable.Range(0, 50).Select(async _ =>
        {
            await thread.RunAsync(CurrentNetwork);
            string now = CurrentNetwork();
            Thread.Sleep(1); // keeps the pool busy, so that it makes more threads
            return now;
        }));
        Assert.All(after, name => Assert.Equal(own, name));
    }

    [Fact]
    public void A_delegate_that_starts_a_thread_fails()
    {
        using ManualResetEventSlim release = new();
        using NamespaceThread thread = NamespaceThread.Start("test");
        InvalidOperationException stray = Assert.Throws<InvalidOperationException>(
            () => thread.Run(() => new Thread(release.Wait) { IsBackground = true, Name = "stray" }.Start()));
        release.Set();
        Assert.Contains("'stray'", stray.Message, StringComparison.Ordinal);
    }

    private static string CurrentNetwork()
    {
        using NetworkNamespace current = NetworkNamespace.OfThisThread();
        return current.Name;
    }
}
