using System.Globalization;
using System.Runtime.InteropServices;
using Tcpcp.Linux.Bpf;
using Tcpcp.Linux.Tcp;

namespace Tcpcp.Linux.Switching;

/// <summary>
/// Where a switch is pinned: a directory of the BPF file system for each network namespace, named by its cookie, in it for each switch its map and its links,
/// one for each interface. In the calling thread's mount and network namespaces.
/// </summary>
internal sealed class PinnedSwitch
{
    private const string Root = BpfPin.FileSystem;
    private const string Pins = BpfPin.Directory;

    private readonly string _directory;
    private readonly string _name;

    public PinnedSwitch(SwitchPlace place)
    {
        _name = place.Name;
        _directory = $"{Pins}/{NamespaceCookie().ToString("x", CultureInfo.InvariantCulture)}";
    }

    public string Map => $"{_directory}/{_name}-map";

    /// <summary>Of a switch with several maps.</summary>
    public string MapOf(string name) => $"{Map}-{name}";

    public bool Exists => Directory.Exists(_directory) && Directory.EnumerateFiles(_directory, _name + "-*").Any();

    public string Link(int interfaceIndex) => string.Create(CultureInfo.InvariantCulture, $"{_directory}/{_name}-link-{interfaceIndex}");

    public IReadOnlyList<string> Links() => Directory.Exists(_directory) ? [.. Directory.EnumerateFiles(_directory, _name + "-link-*")] : [];

    /// <summary>
    /// Attaches a program at interfaces, and nowhere else: one that is there already is replaced in its place, so that a link which a crash has left with another map does not matter.
    /// </summary>
    /// <param name="behind">The switch that sees packets first, where there is one.</param>
    /// <param name="links">Gets the links, each as soon as it stands.</param>
    public void Attach(BpfProgram program, IReadOnlyCollection<int> interfaces, SwitchPlace? behind, ICollection<TcxLink> links)
    {
        foreach (int index in interfaces)
        {
            string pin = Link(index);
            TcxLink? link = TcxLink.TryOpen(pin);
            if (link is not null && link.Interface != index)
            {
                link.Dispose(); // of an interface that is gone
                File.Delete(pin);
                link = null;
            }

            if (link is not null)
            {
                links.Add(link);
                link.Replace(program);
            }
            else
            {
                using TcxLink? before = behind is null ? null : TcxLink.TryOpen(new PinnedSwitch(behind).Link(index));
                link = TcxLink.Attach(program, index, before);
                links.Add(link);
                link.Pin(pin);
            }
        }

        foreach (string pin in Links().Except(interfaces.Select(Link), StringComparer.Ordinal))
        {
            using TcxLink? unwanted = TcxLink.TryOpen(pin);
            unwanted?.Detach(); // without this it would stay for a moment
            File.Delete(pin);
        }
    }

    /// <exception cref="IOException">There is no BPF file system, or it may not be written.</exception>
    public void MakeDirectory()
    {
        try
        {
            if (!BpfPin.IsPossible())
                throw new IOException($"no BPF file system is mounted: mount -t bpf bpf {Root}");
            Directory.CreateDirectory(_directory);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new IOException($"{_directory} cannot be made: {e.Message}", e);
        }
    }

    /// <summary>Forgets map and links, which go with their last descriptors; and the directories if nothing else is in them.</summary>
    public void Remove()
    {
        if (!Directory.Exists(_directory))
            return;
        foreach (string pin in (string[])[.. Links(), .. Directory.GetFiles(_directory, _name + "-map*")])
            File.Delete(pin);
        RemoveIfEmpty(_directory);
        RemoveIfEmpty(Pins);
    }

    /// <summary>Removes what other network namespaces have left that are gone.</summary>
    public void RemoveStale()
    {
        foreach (string directory in Directory.Exists(Pins) ? Directory.GetDirectories(Pins) : [])
        {
            string[] links = Directory.GetFiles(directory, "*-link-*");
            if (directory == _directory || links.Length == 0 || links.Any(IsAttached))
                continue;
            foreach (string pin in Directory.GetFiles(directory))
                File.Delete(pin);
            RemoveIfEmpty(directory);
        }
    }

    private static bool IsAttached(string link)
    {
        using TcxLink? opened = TcxLink.TryOpen(link);
        return opened?.Interface > 0;
    }

    private static void RemoveIfEmpty(string directory)
    {
        if (Directory.Exists(directory) && !Directory.EnumerateFileSystemEntries(directory).Any())
            Directory.Delete(directory);
    }

    private static ulong NamespaceCookie()
    {
        using SafeHandle socket = RawSocket.Create(ipv6: false);
        SocketOption.Get(socket, SocketLevel.SOL_SOCKET, SocketLevel.SO_NETNS_COOKIE, out ulong cookie);
        return cookie;
    }
}
