using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Tcpcp.Linux.Bpf;

/// <summary>A structure of the kernel's with functions, such as a congestion control, whose functions are BPF programs. The kernel has it as long as this is open.</summary>
internal sealed unsafe class StructOperations : IDisposable
{
    private readonly SafeFileHandle _map;
    private readonly SafeFileHandle _link;

    private StructOperations(SafeFileHandle map, SafeFileHandle link) => (_map, _link) = (map, link);

    /// <param name="structure">Of the kernel.</param>
    /// <param name="value">The structure that the kernel wraps it in (bpf_struct_ops_NAME).</param>
    /// <param name="name">Its member "name", by which it is chosen.</param>
    /// <param name="functions">By the member that each is.</param>
    /// <exception cref="KernelException">EPERM: without CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN; EEXIST: the kernel has one of that name.</exception>
    public static StructOperations Register(KernelStructure structure, KernelStructure value, string name, IReadOnlyDictionary<string, BpfProgram> functions)
    {
        using SafeFileHandle types = LoadTypes();
        SafeFileHandle map = CreateMap(types, value, name);
        try
        {
            byte[] bytes = new byte[value.Bytes];
            int start = value.Find("data").Offset;
            Encoding.ASCII.GetBytes(name, bytes.AsSpan(start + structure.Find("name").Offset));
            foreach ((string member, BpfProgram program) in functions)
                MemoryMarshal.Write(bytes.AsSpan(start + structure.Find(member).Offset), (ulong)program.Handle.DangerousGetHandle());
            Set(map, bytes);
            GC.KeepAlive(functions);
            return new StructOperations(map, Link(map, name));
        }
        catch
        {
            map.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        _link.Dispose();
        _map.Dispose();
    }

    // The kernel asks for types of the program's own with such a map, and looks at none of them: one integer is enough.
    private static SafeFileHandle LoadTypes()
    {
        ReadOnlySpan<byte> types =
        [
            0x9F, 0xEB, 1, 0, 24, 0, 0, 0, // magic, version, flags, length of the header
            0, 0, 0, 0, 16, 0, 0, 0, // the types
            16, 0, 0, 0, 5, 0, 0, 0, // the strings
            1, 0, 0, 0, 0, 0, 0, 1, 4, 0, 0, 0, 32, 0, 0, 0x01, // int: 4 bytes, signed, 32 bits
            0, (byte)'i', (byte)'n', (byte)'t', 0,
        ];
        fixed (byte* pointer = types)
        {
            BpfTypesAttributes attributes = new() { Types = (nuint)pointer, Bytes = (uint)types.Length };
            return BpfSystemCalls.Open(BpfCommand.TypesLoad, ref attributes);
        }
    }

    private static SafeFileHandle CreateMap(SafeFileHandle types, KernelStructure value, string name)
    {
        int fd = HeldDescriptor.Take(types);
        try
        {
            BpfMapAttributes attributes = new()
            {
                Type = BpfConstants.BPF_MAP_TYPE_STRUCT_OPS,
                KeyBytes = sizeof(int),
                ValueBytes = (uint)value.Bytes,
                MaxEntries = 1,
                Flags = BpfConstants.BPF_F_LINK,
                Name = BpfName.Of(name),
                Types = fd,
                KernelValueType = value.Id,
            };
            return BpfSystemCalls.Open(BpfCommand.MapCreate, ref attributes, name);
        }
        finally
        {
            HeldDescriptor.Return(types, 0);
        }
    }

    private static void Set(SafeFileHandle map, byte[] value)
    {
        int key = 0;
        fixed (byte* pointer = value)
        {
            int fd = HeldDescriptor.Take(map);
            BpfElementAttributes attributes = new() { Map = fd, Key = (nuint)(&key), Value = (nuint)pointer };
            int error = BpfSystemCalls.Try(BpfCommand.MapUpdate, ref attributes);
            HeldDescriptor.Return(map, 0);
            if (error != 0)
                throw KernelException.Of("bpf(BPF_MAP_UPDATE_ELEM)", error, "struct_ops");
        }
    }

    private static SafeFileHandle Link(SafeFileHandle map, string name)
    {
        int fd = HeldDescriptor.Take(map);
        try
        {
            BpfLinkAttributes attributes = new() { Program = fd, AttachType = BpfConstants.BPF_STRUCT_OPS }; // map_fd, in one place with the program
            return BpfSystemCalls.Open(BpfCommand.LinkCreate, ref attributes, name);
        }
        finally
        {
            HeldDescriptor.Return(map, 0);
        }
    }
}
