using Tcpcp.Linux.Namespaces;
using Tcpcp.Linux.Netlink;
using Tcpcp.Linux.Processes;

namespace Tcpcp.Lab;

/// <summary>
/// Hosts on one machine: network namespaces whose <c>eth0</c> hang on one switch, made by this process alone. Everything goes with
/// <see cref="DisposeAsync"/>, and also when this process is killed: programs on the hosts run in a PID namespace that dies with it. Two labs
/// never meet, whatever their addresses.
/// <code>
/// await using LabNetwork lab = await LabNetwork.CreateAsync();
/// Host server = lab.AddHost("server", "10.0.0.1/24", "fd00::1/64");
/// </code>
/// </summary>
internal sealed class LabNetwork : IAsyncDisposable
{
    private readonly LabOptions _options;
    private readonly LabSwitch _switch;
    private readonly List<Host> _hosts = [];
    private bool _disposed;

    private LabNetwork(LabOptions options, LabSwitch @switch, PidNamespace processes)
    {
        _options = options;
        _switch = @switch;
        Processes = processes;
    }

    public IReadOnlyList<Host> Hosts => _hosts;

    /// <summary>The PID namespace of the programs on all hosts.</summary>
    internal PidNamespace Processes { get; }

    /// <summary>Makes a lab without hosts.</summary>
    /// <exception cref="LabUnavailableException">This process is not root.</exception>
    public static Task<LabNetwork> CreateAsync(LabOptions? options = null)
    {
        LabRequirements.Check();
        return Task.Run(async () =>
        {
            LabOptions given = options ?? new LabOptions();
            PidNamespace processes = PidNamespace.Create();
            try
            {
                return new LabNetwork(given, LabSwitch.Create(given.Mtu), processes);
            }
            catch
            {
                await processes.DisposeAsync();
                throw;
            }
        });
    }

    /// <summary>Adds a host; when this returns it reaches the others.</summary>
    /// <param name="addresses">Its addresses with prefix length, IPv4 and IPv6: <c>10.0.0.1/24</c>, <c>fd00::1/64</c>.</param>
    public Host AddHost(string name, params IReadOnlyList<string> addresses)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (_hosts.Exists(host => string.Equals(host.Name, name, StringComparison.Ordinal)))
            throw new ArgumentException($"The lab has a host '{name}' already.", nameof(name));
        Host host = Host.Create(this, name, [.. addresses.Select(InterfaceAddress.Parse)], _switch, _options.Mtu);
        _hosts.Add(host);
        return host;
    }

    /// <summary>
    /// Takes a host away with all that its kernel has, and makes it again with the addresses that it was made with, which it announces, as after a boot.
    /// Its programs must have ended.
    /// </summary>
    public async Task<Host> RebootAsync(Host host)
    {
        await host.EndCapturesAsync();
        _hosts.Remove(host);
        host.Network.Links.SetDown(Host.InterfaceName); // what is taken away does not all go at once: no packet may meet an address whose filter is gone
        host.Dispose();
        Host booted = Host.Create(this, host.Name, host.Prefixes, _switch, _options.Mtu);
        _hosts.Add(booted);
        foreach (System.Net.IPAddress address in booted.Addresses)
            booted.Announce(address);
        return booted;
    }

    /// <summary>Losses of single addresses in the switch; to be opened once.</summary>
    public AddressLoss OpenAddressLoss() => AddressLoss.OnSwitch(_switch.Run);

    /// <summary>Kills the programs on the hosts, ends the captures (everything that came is in their files), and takes the hosts away.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, true))
            return;
        try
        {
            foreach (Host host in _hosts)
                await host.EndCapturesAsync();
        }
        finally // a capture that could not write its file is an error, but the hosts go
        {
            await Processes.DisposeAsync();
            foreach (Host host in _hosts)
                host.Dispose();
            _switch.Dispose();
        }
    }
}
