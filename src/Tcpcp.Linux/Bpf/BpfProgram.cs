using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Tcpcp.Linux.Bpf;

/// <summary>What a program is for, and where it is attached.</summary>
/// <param name="Type">BPF_PROG_TYPE_*.</param>
/// <param name="AttachType">BPF_* of the hook.</param>
/// <param name="KernelType">Number of a type in the kernel's BTF; 0: the hook has none.</param>
internal readonly record struct BpfProgramKind(uint Type, uint AttachType, uint KernelType = 0)
{
    /// <summary>At a TCX hook of arriving packets.</summary>
    public static BpfProgramKind TcxIngress { get; } = new(BpfConstants.BPF_PROG_TYPE_SCHED_CLS, BpfConstants.BPF_TCX_INGRESS);

    /// <summary>Sees the events of a cgroup's TCP sockets.</summary>
    public static BpfProgramKind SocketEvents { get; } = new(BpfConstants.BPF_PROG_TYPE_SOCK_OPS, BpfConstants.BPF_CGROUP_SOCK_OPS);

    /// <summary>A function of a structure of the kernel's that has functions.</summary>
    public static BpfProgramKind FunctionOf(KernelStructure structure, string member) =>
        new(BpfConstants.BPF_PROG_TYPE_STRUCT_OPS, (uint)structure.Find(member).Index, structure.Id);
}

/// <summary>A loaded program.</summary>
internal sealed unsafe class BpfProgram : IDisposable
{
    private const int LogBytes = 64 * 1024;

    private BpfProgram(SafeFileHandle handle) => Handle = handle;

    public SafeFileHandle Handle { get; }

    /// <param name="instructions">With the maps' descriptors in them, which must be open.</param>
    /// <exception cref="KernelException">EPERM: without CAP_BPF and CAP_NET_ADMIN. If the verifier refuses it, the message ends with its last words.</exception>
    public static BpfProgram Load(BpfProgramKind kind, string name, ReadOnlySpan<byte> instructions)
    {
        ReadOnlySpan<byte> license = "Dual MIT/GPL\0"u8;
        fixed (byte* instructionPointer = instructions, licensePointer = license)
        {
            BpfProgramAttributes attributes = new()
            {
                Type = kind.Type,
                InstructionCount = (uint)(instructions.Length / BpfObjectFile.InstructionBytes),
                Instructions = (nuint)instructionPointer,
                License = (nuint)licensePointer,
                Name = BpfName.Of(name),
                AttachType = kind.AttachType,
                KernelType = kind.KernelType,
            };
            try
            {
                return new BpfProgram(BpfSystemCalls.Open(BpfCommand.ProgramLoad, ref attributes, name));
            }
            catch (KernelException e) when (e.Errno is Errno.EINVAL or Errno.EACCES)
            {
                // Once more, for the reason.
                byte[] log = new byte[LogBytes];
                fixed (byte* logPointer = log)
                {
                    (attributes.LogLevel, attributes.LogBytes, attributes.Log) = (1, LogBytes, (nuint)logPointer);
                    return new BpfProgram(BpfSystemCalls.Open(BpfCommand.ProgramLoad, ref attributes, LastLines(name, log)));
                }
            }
        }
    }

    public void Dispose() => Handle.Dispose();

    private static string LastLines(string name, byte[] log)
    {
        string[] lines = Encoding.UTF8.GetString(log.AsSpan(0, Math.Max(0, Array.IndexOf(log, (byte)0)))).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        return lines.Length == 0 ? name : $"{name}: {string.Join("; ", lines.TakeLast(3))}";
    }
}
