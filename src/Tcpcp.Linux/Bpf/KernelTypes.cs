using System.Buffers.Binary;
using System.Text;

namespace Tcpcp.Linux.Bpf;

/// <summary>A structure of the running kernel.</summary>
/// <param name="Id">Its number in the kernel's BTF.</param>
internal sealed record KernelStructure(string Name, uint Id, int Bytes, IReadOnlyList<KernelMember> Members)
{
    /// <exception cref="IOException">This kernel's has no such member.</exception>
    public KernelMember Find(string member)
    {
        foreach (KernelMember one in Members)
        {
            if (one.Name == member)
                return one;
        }

        throw new IOException($"this kernel's struct {Name} has no {member}");
    }
}

/// <summary>A member of a structure.</summary>
/// <param name="Index">Its place among the members.</param>
/// <param name="Offset">In bytes.</param>
internal readonly record struct KernelMember(string Name, int Index, int Offset);

/// <summary>Reads the types of the running kernel (BTF, Documentation/bpf/btf.rst): structures by their names, and nothing else.</summary>
internal static class KernelTypes
{
    private const string Path = "/sys/kernel/btf/vmlinux";
    private const ushort Magic = 0xEB9F;
    private const int TypeBytes = 12; // name, kind and count, size
    private const int MemberBytes = 12; // name, type, offset
    private const int KindOfStructure = 4;

    // Of each kind, what follows a type: bytes that are always there, and bytes of each of its parts.
    private static readonly (int Fixed, int Each)[] s_sizes =
    [
        (0, 0), (4, 0), (0, 0), (12, 0), (0, 12), (0, 12), (0, 8), (0, 0), (0, 0), (0, 0), // none, int, pointer, array, struct, union, enum, forward, typedef, volatile
        (0, 0), (0, 0), (0, 0), (0, 8), (4, 0), (0, 12), (0, 0), (4, 0), (0, 0), (0, 12), // const, restrict, function, its prototype, variable, section, float, tags, enum64
    ];

    /// <exception cref="IOException">The kernel does not show its types, or has no such structure.</exception>
    public static IReadOnlyDictionary<string, KernelStructure> Find(params IReadOnlyList<string> names)
    {
        if (!File.Exists(Path))
            throw new IOException($"the kernel does not show its types ({Path})");
        byte[] file = File.ReadAllBytes(Path);
        try
        {
            Dictionary<string, KernelStructure> found = Find(file, names);
            return names.FirstOrDefault(name => !found.ContainsKey(name)) is { } missing ? throw new IOException($"this kernel has no struct {missing}") : found;
        }
        catch (Exception e) when (e is ArgumentException or IndexOutOfRangeException)
        {
            throw new IOException($"{Path} cannot be read: its format is not known", e);
        }
    }

    private static Dictionary<string, KernelStructure> Find(ReadOnlySpan<byte> file, IReadOnlyList<string> names)
    {
        if (BinaryPrimitives.ReadUInt16LittleEndian(file) != Magic)
            throw new IOException($"{Path} is no BTF of this byte order");
        int header = Int(file[4..]);
        ReadOnlySpan<byte> types = file.Slice(header + Int(file[8..]), Int(file[12..]));
        ReadOnlySpan<byte> strings = file.Slice(header + Int(file[16..]), Int(file[20..]));
        byte[][] wanted = [.. names.Select(name => Encoding.ASCII.GetBytes(name + '\0'))];
        Dictionary<string, KernelStructure> found = [];
        int at = 0;
        for (uint id = 1; at < types.Length && found.Count < names.Count; id++)
        {
            int information = Int(types[(at + 4)..]);
            (int kind, int count) = ((information >> 24) & 0x1f, information & 0xffff);
            for (int i = 0; kind == KindOfStructure && i < wanted.Length; i++)
            {
                if (strings[Int(types[at..])..].StartsWith(wanted[i]))
                    found.TryAdd(names[i], new KernelStructure(names[i], id, Int(types[(at + 8)..]), MembersOf(types[(at + TypeBytes)..], count, information < 0, strings)));
            }

            at += TypeBytes + s_sizes[kind].Fixed + (s_sizes[kind].Each * count);
        }

        return found;
    }

    private static List<KernelMember> MembersOf(ReadOnlySpan<byte> members, int count, bool hasBitFields, ReadOnlySpan<byte> strings)
    {
        List<KernelMember> read = [];
        for (int i = 0; i < count; i++, members = members[MemberBytes..])
        {
            ReadOnlySpan<byte> name = strings[Int(members)..];
            int bits = Int(members[8..]);
            read.Add(new KernelMember(Encoding.ASCII.GetString(name[..name.IndexOf((byte)0)]), i, (hasBitFields ? bits & 0xffffff : bits) / 8));
        }

        return read;
    }

    private static int Int(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadInt32LittleEndian(bytes);
}
