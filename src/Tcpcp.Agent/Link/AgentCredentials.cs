namespace Tcpcp.Agent.Link;

/// <summary>The certificate files as they are now: looked at again for every handshake, which is when a change takes effect. Links that are open stay.</summary>
internal sealed class AgentCredentials
{
    private readonly CertificateFiles _files;
    private readonly LinkObserver _observer;
    private readonly Lock _lock = new();
    private CertificateStamp _stamp;
    private HostCertificate _current;

    private AgentCredentials(CertificateFiles files, LinkObserver observer)
    {
        (_files, _observer) = (files, observer);
        _stamp = files.Stamp();
        _current = HostCertificate.Load(files);
    }

    /// <param name="observer">Hears of changes, and of changes that cannot be used.</param>
    /// <exception cref="CertificateException">A file cannot be used.</exception>
    public static AgentCredentials Open(CertificateFiles files, LinkObserver observer) => new(files, observer);

    /// <summary>What a new handshake uses. Files that cannot be used leave it as it was, until they change again.</summary>
    public HostCertificate Current
    {
        get
        {
            lock (_lock)
            {
                CertificateStamp stamp = _files.Stamp();
                if (stamp != _stamp)
                {
                    _stamp = stamp;
                    Reload();
                }

                return _current;
            }
        }
    }

    private void Reload()
    {
        try
        {
            _current = HostCertificate.Load(_files);
            _observer(new LinkEvent(LinkEventKind.CertificateReloaded, _current.Name, $"The certificate files have changed; it is valid to {_current.NotAfter:u}."));
        }
        catch (CertificateException e)
        {
            _observer(new LinkEvent(LinkEventKind.CertificateUnusable, _current.Name, $"{e.Message} The certificate before stays in use, valid to {_current.NotAfter:u}."));
        }
    }
}
