using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Tcpcp.Linux.Bpf;
using Tcpcp.Linux.Tcp;
using static Tcpcp.Linux.Tcp.SocketLevel;
using static Tcpcp.Linux.Tcp.TcpOption;

namespace Tcpcp.Linux.Congestion;

/// <summary>
/// Gives restored sockets what the repair interface cannot: a congestion control made of BPF programs (bpf/congestion_start.c), which a socket has until the real
/// one is chosen. It ends with this process; no socket misses it.
/// </summary>
internal sealed class CongestionStarter : IDisposable
{
    private const string Object = "congestion_start.o";
    private const int Capacity = 1024; // sockets between two system calls of a thread each

    private static readonly string[] s_functions = ["init", "ssthresh", "undo_cwnd", "cong_avoid"];

    private readonly BpfHashMap<ulong, BpfStart> _map;
    private readonly StructOperations _operations;
    private readonly byte[] _name;

    private CongestionStarter(BpfHashMap<ulong, BpfStart> map, StructOperations operations, byte[] name) => (_map, _operations, _name) = (map, operations, name);

    /// <exception cref="IOException">It cannot be had here: the message says why.</exception>
    public static CongestionStarter Open()
    {
        IReadOnlyDictionary<string, KernelStructure> types =
            KernelTypes.Find("sock_common", "tcp_sock", "tcp_congestion_ops", "bpf_struct_ops_tcp_congestion_ops");
        BpfHashMap<ulong, BpfStart> map = BpfHashMap<ulong, BpfStart>.Create("starts", Capacity);
        Dictionary<string, BpfProgram> programs = [];
        try
        {
            KernelStructure structure = types["tcp_congestion_ops"];
            foreach (string function in s_functions)
                programs[function] = Load(function, types, map);
            // All congestion controls of a kernel have different names, and other processes may have one of this kind.
            string name = "tcpcp_" + Random.Shared.Next().ToString("x", CultureInfo.InvariantCulture);
            return new CongestionStarter(map, StructOperations.Register(structure, types["bpf_struct_ops_tcp_congestion_ops"], name, programs), Encoding.ASCII.GetBytes(name));
        }
        catch
        {
            map.Dispose();
            throw;
        }
        finally
        {
            foreach (BpfProgram program in programs.Values)
                program.Dispose(); // the kernel keeps what it has
        }
    }

    /// <summary>The compiled program as it is in this assembly.</summary>
    /// <param name="function">One of the kernel's structure.</param>
    public static BpfObjectFile Program(string function) => BpfObjectFile.Embedded(Object, "struct_ops/" + function);

    /// <summary>Gives a socket that is connected what is asked for. The caller chooses the real congestion control afterwards.</summary>
    /// <param name="slowStartThreshold">In segments; null: that of a new connection.</param>
    /// <param name="ecn">ECN was agreed on.</param>
    public void Start(SafeHandle socket, int? slowStartThreshold, bool ecn)
    {
        SocketOption.Get(socket, SOL_SOCKET, SO_COOKIE, out ulong cookie);
        _map.Set(cookie, new BpfStart { SlowStartThreshold = (uint)(slowStartThreshold ?? 0), HasEcn = ecn ? 1u : 0 });
        try
        {
            SocketOption.SetBytes(socket, IPPROTO_TCP, TCP_CONGESTION, _name);
        }
        finally
        {
            _map.Remove(cookie);
        }
    }

    public void Dispose()
    {
        _operations.Dispose();
        _map.Dispose();
    }

    private static BpfProgram Load(string function, IReadOnlyDictionary<string, KernelStructure> types, BpfHashMap<ulong, BpfStart> map)
    {
        bool held = false;
        try
        {
            map.Handle.DangerousAddRef(ref held);
            int descriptor = (int)map.Handle.DangerousGetHandle();
            byte[] instructions = Program(function).Link(_ => descriptor);
            BpfObjectFile.Relocate(instructions, new Dictionary<short, short>
            {
                // As in the program's source. A socket begins with its sock_common.
                [0x7c00] = Offset(types["sock_common"], "skc_cookie"),
                [0x7c10] = Offset(types["tcp_sock"], "snd_cwnd"),
                [0x7c20] = Offset(types["tcp_sock"], "snd_ssthresh"),
                [0x7c30] = Offset(types["tcp_sock"], "ecn_flags"),
            });
            return BpfProgram.Load(BpfProgramKind.FunctionOf(types["tcp_congestion_ops"], function), function, instructions);
        }
        finally
        {
            if (held)
                map.Handle.DangerousRelease();
        }
    }

    private static short Offset(KernelStructure structure, string member) => checked((short)structure.Find(member).Offset);
}

/// <summary>The value of the program's map, by the socket's cookie: <c>struct start</c> in bpf/congestion_start.c.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct BpfStart
{
    public uint SlowStartThreshold;
    public uint HasEcn;
}
