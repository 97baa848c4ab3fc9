using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Tcpcp.Linux.Tcp;

/// <summary>getsockopt and setsockopt (sys/socket.h) with values of any blittable type.</summary>
internal static unsafe partial class SocketOption
{
    public static int Get(SafeHandle socket, int level, int name, [CallerArgumentExpression(nameof(name))] string what = "")
    {
        Get(socket, level, name, out int value, what);
        return value;
    }

    /// <returns>How many bytes the kernel has filled.</returns>
    public static int Get<T>(SafeHandle socket, int level, int name, out T value, [CallerArgumentExpression(nameof(name))] string what = "")
        where T : unmanaged => TryGet(socket, level, name, out value, out int length) ? length : throw Failed("getsockopt", what);

    /// <summary>False if the kernel refuses; the error number is that of the last P/Invoke.</summary>
    public static bool TryGet<T>(SafeHandle socket, int level, int name, out T value, out int length)
        where T : unmanaged
    {
        value = default;
        uint bytes = (uint)sizeof(T);
        fixed (T* pointer = &value)
        {
            bool succeeded = getsockopt(socket, level, name, pointer, &bytes) == 0;
            length = (int)bytes;
            return succeeded;
        }
    }

    /// <summary>Fills <paramref name="buffer"/> as far as the kernel has data and returns that part.</summary>
    public static ReadOnlySpan<byte> GetBytes(SafeHandle socket, int level, int name, Span<byte> buffer,
        [CallerArgumentExpression(nameof(name))] string what = "")
    {
        uint bytes = (uint)buffer.Length;
        fixed (byte* pointer = buffer)
        {
            if (getsockopt(socket, level, name, pointer, &bytes) != 0)
                throw Failed("getsockopt", what);
        }

        return buffer[..(int)bytes];
    }

    public static void Set<T>(SafeHandle socket, int level, int name, T value, [CallerArgumentExpression(nameof(name))] string what = "")
        where T : unmanaged
    {
        if (!TrySet(socket, level, name, value))
            throw Failed("setsockopt", what);
    }

    /// <summary>False if the kernel refuses; the error number is that of the last P/Invoke.</summary>
    public static bool TrySet<T>(SafeHandle socket, int level, int name, T value)
        where T : unmanaged => setsockopt(socket, level, name, &value, (uint)sizeof(T)) == 0;

    public static void SetBytes(SafeHandle socket, int level, int name, ReadOnlySpan<byte> value,
        [CallerArgumentExpression(nameof(name))] string what = "")
    {
        fixed (byte* pointer = value)
        {
            if (setsockopt(socket, level, name, pointer, (uint)value.Length) != 0)
                throw Failed("setsockopt", what);
        }
    }

    private static KernelException Failed(string call, string what) =>
        KernelException.Last($"{call}({what.AsSpan(what.LastIndexOf('.') + 1)})");

    private static int getsockopt(SafeHandle socket, int level, int name, void* value, uint* length)
    {
        int fd = HeldDescriptor.Take(socket);
        return (int)HeldDescriptor.Return(socket, getsockopt(fd, level, name, value, length));
    }

    private static int setsockopt(SafeHandle socket, int level, int name, void* value, uint length)
    {
        int fd = HeldDescriptor.Take(socket);
        return (int)HeldDescriptor.Return(socket, setsockopt(fd, level, name, value, length));
    }

    [LibraryImport("libc")]
    private static partial int getsockopt(int socket, int level, int name, void* value, uint* length);

    [LibraryImport("libc")]
    private static partial int setsockopt(int socket, int level, int name, void* value, uint length);
}
