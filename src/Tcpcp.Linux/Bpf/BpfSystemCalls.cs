using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Tcpcp.Linux.Bpf;

/// <summary>bpf(2).</summary>
internal static unsafe partial class BpfSystemCalls
{
    /// <summary>Of the system call (asm/unistd.h).</summary>
    public static nint Number { get; } = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 321 : 280;

    /// <summary>A call that returns a descriptor.</summary>
    /// <param name="subject">For the exception.</param>
    public static SafeFileHandle Open<T>(BpfCommand command, ref T attributes, string? subject = null)
        where T : unmanaged
    {
        nint result = Call(command, ref attributes);
        return result >= 0 ? new SafeFileHandle(result, ownsHandle: true) : throw Failure(command, subject);
    }

    /// <summary>A call that returns nothing.</summary>
    public static void Do<T>(BpfCommand command, ref T attributes, string? subject = null)
        where T : unmanaged
    {
        if (Call(command, ref attributes) < 0)
            throw Failure(command, subject);
    }

    /// <returns>The error number, or 0.</returns>
    public static int Try<T>(BpfCommand command, ref T attributes)
        where T : unmanaged => Call(command, ref attributes) < 0 ? Marshal.GetLastPInvokeError() : 0;

    public static KernelException Failure(BpfCommand command, string? subject) => KernelException.Last($"bpf({Name(command)})", subject);

    /// <summary>What the kernel says of an object.</summary>
    public static T Information<T>(SafeHandle handle)
        where T : unmanaged
    {
        T information = default;
        int fd = HeldDescriptor.Take(handle);
        BpfInformationAttributes attributes = new() { Object = fd, Bytes = (uint)sizeof(T), Information = (nuint)(&information) };
        if (HeldDescriptor.Return(handle, Call(BpfCommand.ObjectInformation, ref attributes)) < 0)
            throw Failure(BpfCommand.ObjectInformation, null);
        return information;
    }

    /// <summary>Puts another program in the place of a link's.</summary>
    public static void ReplaceProgram(SafeHandle link, BpfProgram program)
    {
        bool held = false;
        try
        {
            program.Handle.DangerousAddRef(ref held);
            int fd = HeldDescriptor.Take(link);
            BpfLinkChangeAttributes attributes = new() { Link = fd, Program = (int)program.Handle.DangerousGetHandle() };
            int error = Try(BpfCommand.LinkUpdate, ref attributes);
            HeldDescriptor.Return(link, 0);
            if (error != 0)
                throw KernelException.Of("bpf(BPF_LINK_UPDATE)", error);
        }
        finally
        {
            if (held)
                program.Handle.DangerousRelease();
        }
    }

    public static string Name(BpfCommand command) => command switch
    {
        BpfCommand.MapCreate => "BPF_MAP_CREATE",
        BpfCommand.MapLookup => "BPF_MAP_LOOKUP_ELEM",
        BpfCommand.MapUpdate => "BPF_MAP_UPDATE_ELEM",
        BpfCommand.MapDelete => "BPF_MAP_DELETE_ELEM",
        BpfCommand.ProgramLoad => "BPF_PROG_LOAD",
        BpfCommand.Pin => "BPF_OBJ_PIN",
        BpfCommand.OpenPin => "BPF_OBJ_GET",
        BpfCommand.ObjectInformation => "BPF_OBJ_GET_INFO_BY_FD",
        BpfCommand.TypesLoad => "BPF_BTF_LOAD",
        BpfCommand.MapLookupBatch => "BPF_MAP_LOOKUP_BATCH",
        BpfCommand.MapUpdateBatch => "BPF_MAP_UPDATE_BATCH",
        BpfCommand.LinkCreate => "BPF_LINK_CREATE",
        BpfCommand.LinkUpdate => "BPF_LINK_UPDATE",
        BpfCommand.LinkDetach => "BPF_LINK_DETACH",
        _ => command.ToString(),
    };

    private static nint Call<T>(BpfCommand command, ref T attributes)
        where T : unmanaged
    {
        fixed (T* pointer = &attributes)
        {
            nint result = syscall(Number, (int)command, pointer, (uint)sizeof(T));
            if (result < 0)
                Marshal.SetLastPInvokeError(Marshal.GetLastSystemError());
            return result;
        }
    }

    [LibraryImport("libc")]
    private static partial nint syscall(nint number, int command, void* attributes, uint bytes);
}

/// <summary>What bpf(2) does (<c>enum bpf_cmd</c>, linux/bpf.h).</summary>
internal enum BpfCommand
{
    MapCreate = 0,
    MapLookup = 1,
    MapUpdate = 2,
    MapDelete = 3,
    ProgramLoad = 5,
    Pin = 6,
    OpenPin = 7,
    ObjectInformation = 15,
    TypesLoad = 18,
    MapLookupBatch = 24,
    MapUpdateBatch = 26,
    LinkCreate = 28,
    LinkUpdate = 29,
    LinkDetach = 34,
}
