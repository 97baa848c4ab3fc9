using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Tcpcp.Linux.Bpf;

/// <summary>A loaded program for TCX hooks (BPF_PROG_TYPE_SCHED_CLS).</summary>
internal sealed unsafe class TcxProgram : IDisposable
{
    private const int LogBytes = 64 * 1024;

    private TcxProgram(SafeFileHandle handle) => Handle = handle;

    public SafeFileHandle Handle { get; }

    /// <param name="instructions">With the maps' descriptors in them, which must be open.</param>
    /// <exception cref="KernelException">EPERM: without CAP_BPF and CAP_NET_ADMIN. If the verifier refuses it, the message ends with its last words.</exception>
    public static TcxProgram Load(string name, ReadOnlySpan<byte> instructions)
    {
        ReadOnlySpan<byte> license = "Dual MIT/GPL\0"u8;
        fixed (byte* instructionPointer = instructions, licensePointer = license)
        {
            BpfProgramAttributes attributes = new()
            {
                Type = BpfConstants.BPF_PROG_TYPE_SCHED_CLS,
                InstructionCount = (uint)(instructions.Length / BpfObjectFile.InstructionBytes),
                Instructions = (nuint)instructionPointer,
                License = (nuint)licensePointer,
                Name = BpfName.Of(name),
                AttachType = BpfConstants.BPF_TCX_INGRESS,
            };
            try
            {
                return new TcxProgram(BpfSystemCalls.Open(BpfCommand.ProgramLoad, ref attributes, name));
            }
            catch (KernelException e) when (e.Errno is Errno.EINVAL or Errno.EACCES)
            {
                // Once more, for the reason.
                byte[] log = new byte[LogBytes];
                fixed (byte* logPointer = log)
                {
                    (attributes.LogLevel, attributes.LogBytes, attributes.Log) = (1, LogBytes, (nuint)logPointer);
                    return new TcxProgram(BpfSystemCalls.Open(BpfCommand.ProgramLoad, ref attributes, LastLines(name, log)));
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
