using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Tcpcp.Linux.Bpf;
using Tcpcp.Linux.Tcp;
using static Tcpcp.Linux.Tcp.SocketLevel;
using static Tcpcp.Linux.Tcp.TcpOption;

namespace Tcpcp.Linux.Congestion;

/// <summary>
/// Lets sockets that are restored go on with a congestion window, by a BPF program (bpf/congestion_keep.c) at the cgroup of this process. It is pinned: it ends
/// the limits of their pacing rates whether this process lives still or not.
/// </summary>
internal sealed class CongestionKeep : IDisposable
{
    /// <summary>
    /// How long the pacing rate is limited. BBR would send at nearly three times the rate until it has not risen for three round trips; the first measures nothing,
    /// and the second the rate.
    /// </summary>
    public const int PacedRoundTrips = 6;

    private const string ProgramName = "congestion_keep";
    private const string MapName = "seeds";
    private const int Capacity = 65_536; // connections that have not sent for those round trips yet
    private const string DirectoryPrefix = BpfPin.Directory + "/cgroup-";
    private const string MapPin = "congestion-map";
    private const string LinkPin = "congestion-link";

    private static volatile CongestionKeep? s_own; // the last that this process has opened

    private readonly BpfHashMap<ulong, BpfSeed> _map;
    private readonly CgroupLink _link;

    private CongestionKeep(BpfHashMap<ulong, BpfSeed> map, CgroupLink link, bool isPinned) => (_map, _link, IsPinned) = (map, link, isPinned);

    /// <summary>The compiled program as it is in this assembly.</summary>
    public static BpfObjectFile Program { get; } = BpfObjectFile.Embedded("congestion_keep.o", "sockops");

    /// <summary>Whether it outlives this process. If not, a limit holds for the first round trip only, and nothing has to end it.</summary>
    public bool IsPinned { get; }

    /// <summary>Attaches the program to the cgroup of the calling thread, or takes over the one that an earlier process has pinned.</summary>
    /// <exception cref="IOException">It cannot be had here: the message says why. Nothing is left behind.</exception>
    public static CongestionKeep Open() => s_own = OpenPinned();

    private static CongestionKeep OpenPinned()
    {
        CongestionKeep own = OpenUnpinned();
        try
        {
            if (!BpfPin.IsPossible())
                return own;
            string directory = DirectoryPrefix + own._link.Cgroup.ToString("x", CultureInfo.InvariantCulture);
            RemoveStale(directory);
            if (TryAdopt(directory) is { } adopted)
            {
                own.Dispose();
                return adopted;
            }

            Directory.CreateDirectory(directory);
            BpfPin.Pin(own._map.Handle, Path.Combine(directory, MapPin));
            own._link.Pin(Path.Combine(directory, LinkPin));
            return new CongestionKeep(own._map, own._link, isPinned: true);
        }
        catch (UnauthorizedAccessException)
        {
            return own; // the BPF file system is another's
        }
        catch
        {
            own.Dispose();
            throw;
        }
    }

    /// <summary>Without pins: it ends with this process.</summary>
    public static CongestionKeep OpenUnpinned()
    {
        CgroupDirectory cgroup = CgroupDirectory.OfThisThread();
        BpfHashMap<ulong, BpfSeed> map = BpfHashMap<ulong, BpfSeed>.Create(MapName, Capacity, preallocated: false);
        try
        {
            using BpfProgram program = Load(map);
            return new CongestionKeep(map, CgroupLink.Attach(program, cgroup), isPinned: false);
        }
        catch
        {
            map.Dispose();
            throw;
        }
    }

    /// <summary>Before a socket of this process connects in repair mode.</summary>
    /// <returns>The socket's cookie.</returns>
    public ulong Announce(SafeHandle socket, CongestionSeed seed)
    {
        SocketOption.Get(socket, SOL_SOCKET, SO_COOKIE, out ulong cookie);
        _map.Set(cookie, BpfSeed.Of(seed, seed.IsPaced && IsPinned ? (uint)PacedRoundTrips : 0));
        return cookie;
    }

    /// <summary>The socket does not need it any more.</summary>
    public void Withdraw(ulong cookie) => _map.Remove(cookie);

    /// <summary>When the socket has connected and has its algorithm: limits the rate.</summary>
    /// <returns>False if it has not got the window: it was made in another cgroup.</returns>
    public bool TryBegin(SafeHandle socket, ulong cookie, CongestionSeed seed)
    {
        SocketOption.Get(socket, IPPROTO_TCP, TCP_INFO, out TcpInfo info);
        if (info.tcpi_snd_cwnd != seed.WindowSegments)
        {
            Withdraw(cookie);
            return false;
        }

        if (seed.IsPaced)
        {
            SocketOption.Set(socket, SOL_SOCKET, SO_MAX_PACING_RATE, seed.Rate);
            if (!IsPinned)
                SocketOption.Set(socket, SOL_SOCKET, SO_MAX_PACING_RATE, seed.OwnRate); // the rate stays until the first acknowledgement makes another
        }

        return true;
    }

    /// <summary>The application's limit of a socket's pacing rate, which may be limited for the first round trips.</summary>
    /// <param name="rate">SO_MAX_PACING_RATE.</param>
    public static ulong OwnPacingRate(SafeHandle socket, ulong rate)
    {
        if (rate == ulong.MaxValue)
            return rate;
        SocketOption.Get(socket, SOL_SOCKET, SO_COOKIE, out ulong cookie);
        if (s_own is { } own && own._map.TryGet(cookie, out BpfSeed known) && known.Rate == rate)
            return known.OwnPacingRate;
        foreach (string directory in Directories())
        {
            if (!BpfPin.TryOpen(Path.Combine(directory, MapPin), out SafeFileHandle? handle) || BpfHashMap<ulong, BpfSeed>.Of(handle) is not { } map)
                continue;
            using (map)
            {
                if (map.TryGet(cookie, out BpfSeed seed) && seed.Rate == rate)
                    return seed.OwnPacingRate;
            }
        }

        return rate;
    }

    /// <summary>What is pinned in the calling thread's mount namespace, whoever has pinned it.</summary>
    public static IReadOnlyList<PinnedKeep> FindPinned() => [.. Directories().Select(Look)];

    /// <summary>Takes away what is pinned for the cgroup of the calling thread, and for cgroups that are gone, unless it has limits to end yet. A process that has it open keeps it until it ends.</summary>
    /// <returns>Connections whose limits it has to end first.</returns>
    public static int RemoveUnused()
    {
        ulong own = CgroupDirectory.OfThisThread().Number;
        int waiting = 0;
        foreach (PinnedKeep pinned in FindPinned().Where(one => one.Cgroup == own || one.Cgroup == 0))
            waiting += Remove(pinned) ? 0 : pinned.Connections;
        return waiting;
    }

    /// <summary>Takes away what is pinned.</summary>
    /// <returns>False if it has limits to end yet, and stays.</returns>
    public static bool Remove(PinnedKeep pinned)
    {
        if (pinned.Connections > 0 && pinned.Cgroup != 0)
            return false;
        RemovePins(pinned.Directory);
        return true;
    }

    public void Dispose()
    {
        if (s_own == this)
            s_own = null;
        _link.Dispose();
        _map.Dispose();
    }

    private static BpfProgram Load(BpfHashMap<ulong, BpfSeed> map)
    {
        bool held = false;
        try
        {
            map.Handle.DangerousAddRef(ref held);
            int descriptor = (int)map.Handle.DangerousGetHandle();
            return BpfProgram.Load(BpfProgramKind.SocketEvents, ProgramName, Program.Link(_ => descriptor));
        }
        finally
        {
            if (held)
                map.Handle.DangerousRelease();
        }
    }

    // The program of the version before is replaced in its place; limits that it has not ended yet are ended by this one.
    private static CongestionKeep? TryAdopt(string directory)
    {
        if (!Directory.Exists(directory))
            return null;
        (string mapPin, string linkPin) = (Path.Combine(directory, MapPin), Path.Combine(directory, LinkPin));
        if (BpfPin.TryOpen(mapPin, out SafeFileHandle? handle) && BpfHashMap<ulong, BpfSeed>.Of(handle) is { } map)
        {
            if (CgroupLink.TryOpen(linkPin, out CgroupLink? link))
            {
                using BpfProgram program = Load(map);
                link.Replace(program);
                return new CongestionKeep(map, link, isPinned: true);
            }

            map.Dispose();
        }

        File.Delete(mapPin);
        File.Delete(linkPin);
        return null;
    }

    private static string[] Directories() =>
        Directory.Exists(BpfPin.Directory) ? Directory.GetDirectories(BpfPin.Directory, Path.GetFileName(DirectoryPrefix) + "*") : [];

    private static void RemoveStale(string except)
    {
        foreach (string directory in Directories())
        {
            if (directory == except || (CgroupLink.TryOpen(Path.Combine(directory, LinkPin), out CgroupLink? link) && IsAttached(link)))
                continue;
            RemovePins(directory);
        }
    }

    private static void RemovePins(string directory)
    {
        File.Delete(Path.Combine(directory, LinkPin));
        File.Delete(Path.Combine(directory, MapPin));
        Directory.Delete(directory);
    }

    private static PinnedKeep Look(string directory)
    {
        if (!CgroupLink.TryOpen(Path.Combine(directory, LinkPin), out CgroupLink? link))
            return new PinnedKeep(directory, 0, 0);
        using (link)
        {
            if (!BpfPin.TryOpen(Path.Combine(directory, MapPin), out SafeFileHandle? handle) || BpfHashMap<ulong, BpfSeed>.Of(handle) is not { } map)
                return new PinnedKeep(directory, link.Cgroup, 0);
            using (map)
                return new PinnedKeep(directory, link.Cgroup, map.List().Count(seed => seed.Value.Flags != 0));
        }
    }

    private static bool IsAttached(CgroupLink link)
    {
        using (link)
            return link.Cgroup != 0;
    }
}

/// <summary>The program that keeps congestion windows, as it is pinned for a cgroup.</summary>
/// <param name="Cgroup">Number of the cgroup; 0: it is gone.</param>
/// <param name="Connections">Those whose pacing rate is limited still.</param>
internal sealed record PinnedKeep(string Directory, ulong Cgroup, int Connections);
