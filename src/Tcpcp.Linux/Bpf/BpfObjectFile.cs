using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace Tcpcp.Linux.Bpf;

/// <summary>
/// A program as the compiler has left it: an ELF object (64 bits, little-endian) with the instructions in a section of their own, and the places in them where
/// a map is named. Of ELF it reads what such a program needs and nothing else: all other relocations are refused.
/// </summary>
[KernelHeader("elf.h")]
internal sealed class BpfObjectFile
{
    /// <summary>Size of an instruction (struct bpf_insn); one with a map takes two.</summary>
    public const int InstructionBytes = 8;

    private const uint SHT_SYMTAB = 2; // elf.h
    private const uint SHT_REL = 9;
    private const uint R_BPF_64_64 = 1; // llvm/BinaryFormat/ELFRelocs/BPF.def
    private const byte LoadImmediate64 = 0x18; // BPF_LD | BPF_DW | BPF_IMM

    private readonly byte[] _file;
    private readonly Section[] _sections;

    private BpfObjectFile(byte[] file, string section)
    {
        _file = file;
        int headers = checked((int)U64(0x28)); // e_shoff
        _sections = new Section[U16(0x3C)]; // e_shnum
        for (int i = 0; i < _sections.Length; i++)
            _sections[i] = MemoryMarshal.Read<Section>(file.AsSpan(headers + (i * U16(0x3A)))); // e_shentsize
        Section names = _sections[U16(0x3E)]; // e_shstrndx
        int program = Array.FindIndex(_sections, one => Text(names, one.Name) == section);
        Instructions = program >= 0 ? Bytes(_sections[program]) : throw new InvalidDataException($"The object has no section {section}.");
        Section symbols = Array.Find(_sections, one => one.Type == SHT_SYMTAB);
        MapReferences = [.. _sections.Where(one => one.Type == SHT_REL && one.Info == program).SelectMany(one => ReadReferences(one, symbols))];
    }

    /// <summary>The instructions, in which maps are 0.</summary>
    public ReadOnlyMemory<byte> Instructions { get; }

    /// <summary>By their offsets in the instructions, the maps that belong there.</summary>
    public IReadOnlyList<(int Offset, string Map)> MapReferences { get; }

    /// <exception cref="InvalidDataException">It is no such object.</exception>
    public static BpfObjectFile Parse(byte[] file, string section)
    {
        if (file.Length < 64 || !file.AsSpan().StartsWith((ReadOnlySpan<byte>)[0x7F, (byte)'E', (byte)'L', (byte)'F', 2, 1]))
            throw new InvalidDataException("This is no little-endian ELF object of 64 bits.");
        try
        {
            return new BpfObjectFile(file, section);
        }
        catch (Exception e) when (e is ArgumentException or IndexOutOfRangeException or OverflowException)
        {
            throw new InvalidDataException("The ELF object is damaged.", e);
        }
    }

    /// <summary>One of the objects that this assembly has of bpf/.</summary>
    public static BpfObjectFile Embedded(string name, string section)
    {
        using Stream resource = typeof(BpfObjectFile).Assembly.GetManifestResourceStream(name)!;
        byte[] file = new byte[resource.Length];
        resource.ReadExactly(file);
        return Parse(file, section);
    }

    /// <summary>The instructions with the maps' descriptors in their places.</summary>
    public byte[] Link(Func<string, int> descriptorOf)
    {
        byte[] linked = Instructions.ToArray();
        foreach ((int offset, string map) in MapReferences)
        {
            linked[offset + 1] |= BpfConstants.BPF_PSEUDO_MAP_FD << 4; // the source register
            BinaryPrimitives.WriteInt32LittleEndian(linked.AsSpan(offset + 4), descriptorOf(map));
        }

        return linked;
    }

    /// <summary>Puts other offsets into the instructions that read or write memory: where one stands for the kernel's own.</summary>
    public static void Relocate(Span<byte> instructions, IReadOnlyDictionary<short, short> offsets)
    {
        for (int at = 0; at < instructions.Length; at += InstructionBytes)
        {
            bool isMemory = (instructions[at] & 0x07) is 1 or 2 or 3; // BPF_LDX, BPF_ST, BPF_STX
            if (isMemory && offsets.TryGetValue(BinaryPrimitives.ReadInt16LittleEndian(instructions[(at + 2)..]), out short offset))
                BinaryPrimitives.WriteInt16LittleEndian(instructions[(at + 2)..], offset);
            if (instructions[at] == LoadImmediate64)
                at += InstructionBytes; // it takes two
        }
    }

    private IEnumerable<(int Offset, string Map)> ReadReferences(Section relocations, Section symbols)
    {
        Section names = _sections[symbols.Link];
        foreach (Relocation relocation in MemoryMarshal.Cast<byte, Relocation>(Bytes(relocations).Span).ToArray())
        {
            int offset = checked((int)relocation.Offset);
            Symbol symbol = MemoryMarshal.Cast<byte, Symbol>(Bytes(symbols).Span)[(int)(relocation.Information >> 32)];
            if ((uint)relocation.Information != R_BPF_64_64 || symbol.Section != 0 || Instructions.Span[offset] != LoadImmediate64)
                throw new InvalidDataException($"The program needs a relocation of another kind at {offset}.");
            yield return (offset, Text(names, symbol.Name));
        }
    }

    private ReadOnlyMemory<byte> Bytes(Section section) => _file.AsMemory(checked((int)section.Offset), checked((int)section.Bytes));

    private string Text(Section strings, uint offset)
    {
        ReadOnlySpan<byte> rest = Bytes(strings).Span[(int)offset..];
        return Encoding.ASCII.GetString(rest[..rest.IndexOf((byte)0)]);
    }

    private ushort U16(int offset) => BinaryPrimitives.ReadUInt16LittleEndian(_file.AsSpan(offset));

    private ulong U64(int offset) => BinaryPrimitives.ReadUInt64LittleEndian(_file.AsSpan(offset));

    [KernelHeader("elf.h", Structure = "Elf64_Shdr",
        Fields = "sh_name sh_type sh_flags sh_addr sh_offset sh_size sh_link sh_info sh_addralign sh_entsize")]
    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct Section(
        uint Name, uint Type, ulong Flags, ulong Address, ulong Offset, ulong Bytes, int Link, int Info, ulong Alignment, ulong EntryBytes);

    [KernelHeader("elf.h", Structure = "Elf64_Sym", Fields = "st_name st_info st_other st_shndx st_value st_size")]
    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct Symbol(uint Name, byte Information, byte Other, ushort Section, ulong Value, ulong Bytes);

    [KernelHeader("elf.h", Structure = "Elf64_Rel", Fields = "r_offset r_info")]
    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct Relocation(ulong Offset, ulong Information);
}
