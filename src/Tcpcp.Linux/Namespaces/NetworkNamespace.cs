using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Tcpcp.Linux.Namespaces;

/// <summary>An open descriptor of a network namespace; the namespace lives at least as long.</summary>
internal sealed class NetworkNamespace : SafeHandleZeroOrMinusOneIsInvalid
{
    private NetworkNamespace(SafeFileHandle file)
        : base(ownsHandle: true)
    {
        SetHandle(file.DangerousGetHandle());
        file.SetHandleAsInvalid();
        Name = NamespaceSystemCalls.NameOf(this);
    }

    /// <summary>The kernel's name, unique on this machine as long as the namespace lives: <c>net:[4026531840]</c>.</summary>
    public string Name { get; }

    /// <summary>The network namespace of the calling thread.</summary>
    public static NetworkNamespace OfThisThread() => Open("/proc/thread-self/ns/net");

    /// <param name="path">A file of a namespace, such as <c>/proc/1/ns/net</c> or <c>/run/netns/NAME</c>.</param>
    public static NetworkNamespace Open(string path) => new(File.OpenHandle(path));

    /// <summary>The network namespace that a socket lives in, wherever its owner is now (CAP_NET_ADMIN there).</summary>
    public static NetworkNamespace OfSocket(SafeHandle socket) => new(NamespaceSystemCalls.NamespaceOf(socket));

    /// <summary>Runs the delegate on a new thread in this namespace and waits for it; its exception comes back. The delegate must work
    /// synchronously.</summary>
    public T Run<T>(Func<T> work)
    {
        (T? result, ExceptionDispatchInfo? failure) = (default, null);
        Thread thread = HomeThread.StartThread("tcpcp visit", () =>
        {
            try
            {
                NamespaceSystemCalls.Enter(this, NamespaceKinds.Network);
                result = work();
            }
            catch (Exception e)
            {
                failure = ExceptionDispatchInfo.Capture(e);
            }
        });
        thread.Join();
        failure?.Throw();
        return result!;
    }

    protected override bool ReleaseHandle()
    {
        using SafeFileHandle file = new(handle, ownsHandle: true);
        return true;
    }
}
