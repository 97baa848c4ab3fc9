using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Tcpcp.Linux.Bpf;

/// <summary>A hash of the kernel. Unless asked otherwise its room is all there from the start, so that a change never waits for memory.</summary>
[KernelHeader("linux/bpf.h", "errno.h")]
internal sealed unsafe class BpfHashMap<TKey, TValue> : IDisposable
    where TKey : unmanaged
    where TValue : unmanaged
{
    private const int BatchElements = 4096;

    private BpfHashMap(SafeFileHandle handle) => Handle = handle;

    public SafeFileHandle Handle { get; }

    /// <summary>How many elements there is room for.</summary>
    public int Capacity => (int)BpfSystemCalls.Information<BpfMapInformation>(Handle).MaxEntries;

    /// <param name="preallocated">False: an element takes memory when it is set.</param>
    /// <param name="leastRecentlyUsedGo">When it is full, what was used last the longest ago makes room.</param>
    public static BpfHashMap<TKey, TValue> Create(string name, int capacity, bool preallocated = true, bool leastRecentlyUsedGo = false)
    {
        BpfMapAttributes attributes = new()
        {
            Type = leastRecentlyUsedGo ? BpfConstants.BPF_MAP_TYPE_LRU_HASH : BpfConstants.BPF_MAP_TYPE_HASH,
            KeyBytes = (uint)sizeof(TKey),
            ValueBytes = (uint)sizeof(TValue),
            MaxEntries = (uint)capacity,
            Flags = preallocated ? 0 : BpfConstants.BPF_F_NO_PREALLOC,
            Name = BpfName.Of(name),
        };
        return new BpfHashMap<TKey, TValue>(BpfSystemCalls.Open(BpfCommand.MapCreate, ref attributes, name));
    }

    /// <summary>Takes over a map that was pinned.</summary>
    /// <returns>Null if it is of another kind; the handle is closed.</returns>
    public static BpfHashMap<TKey, TValue>? Of(SafeFileHandle handle)
    {
        BpfMapInformation information = BpfSystemCalls.Information<BpfMapInformation>(handle);
        if (information.Type is BpfConstants.BPF_MAP_TYPE_HASH or BpfConstants.BPF_MAP_TYPE_LRU_HASH && information.KeyBytes == sizeof(TKey) && information.ValueBytes == sizeof(TValue))
            return new BpfHashMap<TKey, TValue>(handle);
        handle.Dispose();
        return null;
    }

    /// <summary>Sets an element; a packet that comes after this meets it.</summary>
    /// <exception cref="KernelException">E2BIG: the map is full.</exception>
    public void Set(in TKey key, in TValue value)
    {
        fixed (TKey* keyPointer = &key)
        fixed (TValue* valuePointer = &value)
        {
            int fd = HeldDescriptor.Take(Handle);
            BpfElementAttributes attributes = new() { Map = fd, Key = (nuint)keyPointer, Value = (nuint)valuePointer };
            int error = BpfSystemCalls.Try(BpfCommand.MapUpdate, ref attributes);
            HeldDescriptor.Return(Handle, 0);
            ThrowIfFailed(BpfCommand.MapUpdate, error);
        }
    }

    /// <summary>Sets many elements with one system call: each at once, one after the other.</summary>
    public void Set(ReadOnlySpan<TKey> keys, ReadOnlySpan<TValue> values)
    {
        if (keys.IsEmpty)
            return;
        fixed (TKey* keyPointer = keys)
        fixed (TValue* valuePointer = values)
        {
            int fd = HeldDescriptor.Take(Handle);
            BpfBatchAttributes attributes = new() { Map = fd, Keys = (nuint)keyPointer, Values = (nuint)valuePointer, Count = (uint)keys.Length };
            int error = BpfSystemCalls.Try(BpfCommand.MapUpdateBatch, ref attributes);
            HeldDescriptor.Return(Handle, 0);
            ThrowIfFailed(BpfCommand.MapUpdateBatch, error);
        }
    }

    /// <returns>False if it is not there.</returns>
    public bool TryGet(in TKey key, out TValue value)
    {
        value = default;
        fixed (TKey* keyPointer = &key)
        fixed (TValue* valuePointer = &value)
        {
            int fd = HeldDescriptor.Take(Handle);
            BpfElementAttributes attributes = new() { Map = fd, Key = (nuint)keyPointer, Value = (nuint)valuePointer };
            int error = BpfSystemCalls.Try(BpfCommand.MapLookup, ref attributes);
            HeldDescriptor.Return(Handle, 0);
            if (error == Errno.ENOENT)
                return false;
            ThrowIfFailed(BpfCommand.MapLookup, error);
            return true;
        }
    }

    /// <returns>False if it was not there.</returns>
    public bool Remove(in TKey key)
    {
        fixed (TKey* keyPointer = &key)
        {
            int fd = HeldDescriptor.Take(Handle);
            BpfElementAttributes attributes = new() { Map = fd, Key = (nuint)keyPointer };
            int error = BpfSystemCalls.Try(BpfCommand.MapDelete, ref attributes);
            HeldDescriptor.Return(Handle, 0);
            if (error == Errno.ENOENT)
                return false;
            ThrowIfFailed(BpfCommand.MapDelete, error);
            return true;
        }
    }

    /// <summary>Every element; one that is set or removed meanwhile may be among them or not.</summary>
    public List<KeyValuePair<TKey, TValue>> List()
    {
        List<KeyValuePair<TKey, TValue>> elements = [];
        TKey[] keys = new TKey[BatchElements];
        TValue[] values = new TValue[BatchElements];
        fixed (TKey* keyPointer = keys)
        fixed (TValue* valuePointer = values)
        {
            uint place = 0;
            for (bool first = true, more = true; more; first = false)
            {
                int fd = HeldDescriptor.Take(Handle);
                BpfBatchAttributes attributes = new()
                {
                    Map = fd,
                    After = first ? 0 : (nuint)(&place),
                    Last = (nuint)(&place),
                    Keys = (nuint)keyPointer,
                    Values = (nuint)valuePointer,
                    Count = BatchElements,
                };
                int error = BpfSystemCalls.Try(BpfCommand.MapLookupBatch, ref attributes);
                HeldDescriptor.Return(Handle, 0);
                more = error == 0;
                if (error != Errno.ENOENT) // the end
                    ThrowIfFailed(BpfCommand.MapLookupBatch, error);
                for (int i = 0; i < attributes.Count; i++)
                    elements.Add(new(keys[i], values[i]));
            }
        }

        return elements;
    }

    public void Dispose() => Handle.Dispose();

    private static void ThrowIfFailed(BpfCommand command, int error)
    {
        if (error != 0)
            throw KernelException.Of($"bpf({BpfSystemCalls.Name(command)})", error, error == Errno.E2BIG ? "the map is full" : null);
    }
}

/// <summary>Constants of bpf(2).</summary>
[KernelHeader("linux/bpf.h")]
internal static class BpfConstants
{
    public const uint BPF_MAP_TYPE_HASH = 1;
    public const uint BPF_MAP_TYPE_LRU_HASH = 9;
    public const uint BPF_PROG_TYPE_SCHED_CLS = 3;
    public const uint BPF_PROG_TYPE_SOCK_OPS = 13;
    public const uint BPF_PROG_TYPE_STRUCT_OPS = 27;
    public const uint BPF_MAP_TYPE_STRUCT_OPS = 26;
    public const uint BPF_STRUCT_OPS = 44; // since Linux 6.4
    public const uint BPF_CGROUP_SOCK_OPS = 3;
    public const uint BPF_F_NO_PREALLOC = 1 << 0;
    public const uint BPF_TCX_INGRESS = 46; // since Linux 6.6
    public const uint BPF_F_BEFORE = 1 << 3; // since Linux 6.6
    public const uint BPF_F_AFTER = 1 << 4; // since Linux 6.6
    public const uint BPF_F_LINK = 1 << 13; // since Linux 6.6
    public const byte BPF_PSEUDO_MAP_FD = 1;
}
