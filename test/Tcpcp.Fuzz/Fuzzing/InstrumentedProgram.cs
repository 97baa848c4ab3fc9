using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.InteropServices;
using System.Runtime.Loader;
using SharpFuzz;
using SharpFuzz.Common;

namespace Tcpcp.Fuzz.Fuzzing;

/// <summary>Copies of this program's own assemblies that count the branches they take, loaded beside the ones that run. Nothing of the build's output is changed.</summary>
internal sealed class InstrumentedProgram : AssemblyLoadContext
{
    private static readonly string[] s_instrumented = ["Tcpcp.Core", "Tcpcp", "Tcpcp.Agent", "Tcpcp.Check", "Tcpcp.Configuration", "Tcpcp.Relay"];

    private static readonly Lazy<Dictionary<string, byte[]>> s_copies = new(Instrument);

    /// <summary>Where the copies count: one byte a pair of branches. Cleared and read by who runs them.</summary>
    public static byte[] Branches { get; } = PlaceBranches();

    /// <summary>What a target of that name runs, of the copies, and what ends it.</summary>
    public (Action<byte[]> Run, Action Dispose) Load(string target)
    {
        Assembly copy = LoadFromAssemblyPath(typeof(FuzzTarget).Assembly.Location);
        MethodInfo find = copy.GetType(typeof(FuzzTarget).FullName!)!.GetMethod(nameof(FuzzTarget.RunnerOf), BindingFlags.Static | BindingFlags.Public)!;
        return ((Action<byte[]>, Action))find.Invoke(null, [target])!;
    }

    /// <summary>Forgets which branch was the last one, so that a run does not depend on the one before.</summary>
    public static void BeginRun() => Trace.PrevLocation = 0;

    protected override Assembly? Load(AssemblyName assemblyName)
    {
        if (s_copies.Value.TryGetValue(assemblyName.Name!, out byte[]? copy))
        {
            using MemoryStream stream = new(copy);
            return LoadFromStream(stream);
        }

        // What the copies are friends of, and what has types of them, once more too.
        return assemblyName.Name == "Tcpcp.Linux" ? LoadFromAssemblyPath(Path.Combine(AppContext.BaseDirectory, "Tcpcp.Linux.dll")) : null;
    }

    private static Dictionary<string, byte[]> Instrument()
    {
        string directory = Directory.CreateTempSubdirectory("tcpcp-fuzz-").FullName;
        Dictionary<string, byte[]> copies = new(StringComparer.Ordinal);
        foreach (string name in s_instrumented)
        {
            string copy = Path.Combine(directory, name + ".dll");
            File.Copy(Path.Combine(AppContext.BaseDirectory, name + ".dll"), copy);
            Fuzzer.Instrument(copy, _ => true, Options.Value);
            copies[name] = File.ReadAllBytes(copy);
        }

        Directory.Delete(directory, recursive: true);
        return copies;
    }

    // SharpFuzz counts through a pointer, which C# can set in unsafe code alone; this sets it without.
    private static byte[] PlaceBranches()
    {
        byte[] memory = GC.AllocateArray<byte>(1 << 16, pinned: true);
        DynamicMethod set = new("SetSharedMem", null, [typeof(nint)], typeof(InstrumentedProgram).Module, skipVisibility: true);
        ILGenerator code = set.GetILGenerator();
        code.Emit(OpCodes.Ldarg_0);
        code.Emit(OpCodes.Volatile);
        code.Emit(OpCodes.Stsfld, typeof(Trace).GetField(nameof(Trace.SharedMem))!);
        code.Emit(OpCodes.Ret);
        set.CreateDelegate<Action<nint>>()(Marshal.UnsafeAddrOfPinnedArrayElement(memory, 0));
        return memory;
    }
}
