using System.Runtime.InteropServices;

namespace Tcpcp.Cli.Save;

/// <summary>While this is open, the signals that would end this process do nothing: a connection is frozen, and another process may be
/// stopped.</summary>
internal sealed class DeferredSignals : IDisposable
{
    private readonly PosixSignalRegistration[] _registrations =
        [.. ((PosixSignal[])[PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP, PosixSignal.SIGQUIT])
            .Select(signal => PosixSignalRegistration.Create(signal, context => context.Cancel = true))];

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations)
            registration.Dispose();
    }
}
