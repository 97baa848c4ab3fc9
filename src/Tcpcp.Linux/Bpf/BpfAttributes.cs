using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace Tcpcp.Linux.Bpf;

/// <summary>The part of <c>union bpf_attr</c> (linux/bpf.h) that BPF_MAP_CREATE reads.</summary>
[KernelHeader("linux/bpf.h", Structure = "union bpf_attr", Fields = "map_type key_size value_size max_entries map_flags map_name btf_fd btf_vmlinux_value_type_id")]
[StructLayout(LayoutKind.Explicit, Size = 72)]
internal struct BpfMapAttributes
{
    [FieldOffset(0)] public uint Type;
    [FieldOffset(4)] public uint KeyBytes;
    [FieldOffset(8)] public uint ValueBytes;
    [FieldOffset(12)] public uint MaxEntries;
    [FieldOffset(16)] public uint Flags;
    [FieldOffset(28)] public BpfName Name;
    [FieldOffset(48)] public int Types;
    [FieldOffset(60)] public uint KernelValueType;
}

/// <summary>The part that the calls for one element read.</summary>
[KernelHeader("linux/bpf.h", Structure = "union bpf_attr", Fields = "map_fd key value flags")]
[StructLayout(LayoutKind.Explicit, Size = 32)]
internal struct BpfElementAttributes
{
    [FieldOffset(0)] public int Map;
    [FieldOffset(8)] public nuint Key;
    [FieldOffset(16)] public nuint Value;
    [FieldOffset(24)] public ulong Flags;
}

/// <summary>The part that the calls for many elements read.</summary>
[KernelHeader("linux/bpf.h", Structure = "union bpf_attr",
    Fields = "batch.in_batch batch.out_batch batch.keys batch.values batch.count batch.map_fd batch.elem_flags batch.flags")]
[StructLayout(LayoutKind.Explicit, Size = 56)]
internal struct BpfBatchAttributes
{
    [FieldOffset(0)] public nuint After;
    [FieldOffset(8)] public nuint Last;
    [FieldOffset(16)] public nuint Keys;
    [FieldOffset(24)] public nuint Values;

    /// <summary>In: how many there are, or how many there is room for. Out: how many were done.</summary>
    [FieldOffset(32)] public uint Count;
    [FieldOffset(36)] public int Map;
    [FieldOffset(40)] public ulong ElementFlags;
    [FieldOffset(48)] public ulong Flags;
}

/// <summary>The part that BPF_PROG_LOAD reads.</summary>
[KernelHeader("linux/bpf.h", Structure = "union bpf_attr",
    Fields = "prog_type insn_cnt insns license log_level log_size log_buf prog_name expected_attach_type attach_btf_id")]
[StructLayout(LayoutKind.Explicit, Size = 112)]
internal struct BpfProgramAttributes
{
    [FieldOffset(0)] public uint Type;
    [FieldOffset(4)] public uint InstructionCount;
    [FieldOffset(8)] public nuint Instructions;
    [FieldOffset(16)] public nuint License;
    [FieldOffset(24)] public uint LogLevel;
    [FieldOffset(28)] public uint LogBytes;
    [FieldOffset(32)] public nuint Log;
    [FieldOffset(48)] public BpfName Name;
    [FieldOffset(68)] public uint AttachType;
    [FieldOffset(108)] public uint KernelType;
}

/// <summary>The part that BPF_BTF_LOAD reads.</summary>
[KernelHeader("linux/bpf.h", Structure = "union bpf_attr", Fields = "btf btf_log_buf btf_size")]
[StructLayout(LayoutKind.Explicit, Size = 32)]
internal struct BpfTypesAttributes
{
    [FieldOffset(0)] public nuint Types;
    [FieldOffset(8)] public nuint Log;
    [FieldOffset(16)] public uint Bytes;
}

/// <summary>The part that BPF_OBJ_PIN and BPF_OBJ_GET read.</summary>
[KernelHeader("linux/bpf.h", Structure = "union bpf_attr", Fields = "pathname bpf_fd file_flags")]
[StructLayout(LayoutKind.Explicit, Size = 16)]
internal struct BpfPinAttributes
{
    [FieldOffset(0)] public nuint Path;
    [FieldOffset(8)] public int Object;
    [FieldOffset(12)] public uint Flags;
}

/// <summary>The part that BPF_OBJ_GET_INFO_BY_FD reads.</summary>
[KernelHeader("linux/bpf.h", Structure = "union bpf_attr", Fields = "info.bpf_fd info.info_len info.info")]
[StructLayout(LayoutKind.Explicit, Size = 16)]
internal struct BpfInformationAttributes
{
    [FieldOffset(0)] public int Object;
    [FieldOffset(4)] public uint Bytes;
    [FieldOffset(8)] public nuint Information;
}

/// <summary>The part that BPF_LINK_CREATE reads. Where the headers before 6.6 have the BTF id of another kind of link, TCX has a link that it is before or after.</summary>
[KernelHeader("linux/bpf.h", Structure = "union bpf_attr",
    Fields = "link_create.prog_fd link_create.target_ifindex link_create.attach_type link_create.flags link_create.target_btf_id")]
[StructLayout(LayoutKind.Explicit, Size = 48)]
internal struct BpfLinkAttributes
{
    [FieldOffset(0)] public int Program;
    [FieldOffset(4)] public uint Interface;
    [FieldOffset(8)] public uint AttachType;
    [FieldOffset(12)] public uint Flags;
    [FieldOffset(16)] public int Relative;
}

/// <summary>The part that BPF_LINK_UPDATE, and with the link alone BPF_LINK_DETACH, reads.</summary>
[KernelHeader("linux/bpf.h", Structure = "union bpf_attr", Fields = "link_update.link_fd link_update.new_prog_fd link_update.flags")]
[StructLayout(LayoutKind.Explicit, Size = 16)]
internal struct BpfLinkChangeAttributes
{
    [FieldOffset(0)] public int Link;
    [FieldOffset(4)] public int Program;
    [FieldOffset(8)] public uint Flags;
}

/// <summary>What BPF_OBJ_GET_INFO_BY_FD says of a map.</summary>
[KernelHeader("linux/bpf.h", Structure = "struct bpf_map_info", Fields = "type id key_size value_size max_entries")]
[StructLayout(LayoutKind.Explicit, Size = 80)]
internal struct BpfMapInformation
{
    [FieldOffset(0)] public uint Type;
    [FieldOffset(4)] public uint Id;
    [FieldOffset(8)] public uint KeyBytes;
    [FieldOffset(12)] public uint ValueBytes;
    [FieldOffset(16)] public uint MaxEntries;
}

/// <summary>What it says of a link. Where the interface and the attach type of a TCX link stand, the headers before 6.6 have those of another kind.</summary>
[KernelHeader("linux/bpf.h", Structure = "struct bpf_link_info", Fields = "type id prog_id netns.netns_ino netns.attach_type")]
[StructLayout(LayoutKind.Explicit, Size = 32)]
internal struct BpfLinkInformation
{
    [FieldOffset(0)] public uint Type;
    [FieldOffset(4)] public uint Id;
    [FieldOffset(8)] public uint ProgramId;

    /// <summary>0: the interface is gone, or the link was detached.</summary>
    [FieldOffset(16)] public uint Interface;
    [FieldOffset(20)] public uint AttachType;
}

/// <summary>What it says of a link to a cgroup.</summary>
[KernelHeader("linux/bpf.h", Structure = "struct bpf_link_info", Fields = "type id prog_id cgroup.cgroup_id cgroup.attach_type")]
[StructLayout(LayoutKind.Explicit, Size = 32)]
internal struct BpfCgroupLinkInformation
{
    [FieldOffset(0)] public uint Type;
    [FieldOffset(4)] public uint Id;
    [FieldOffset(8)] public uint ProgramId;

    /// <summary>0: the cgroup is gone, or the link was detached.</summary>
    [FieldOffset(16)] public ulong Cgroup;
    [FieldOffset(24)] public uint AttachType;
}

/// <summary>A name in the kernel: 15 characters of ASCII at most.</summary>
[InlineArray(16)]
internal struct BpfName
{
    private byte _first;

    public static BpfName Of(string text)
    {
        BpfName name = default;
        Encoding.ASCII.GetBytes(text.AsSpan(0, Math.Min(text.Length, 15)), name);
        return name;
    }
}
