using System.Net.Sockets;
using System.Runtime.InteropServices;
using Tcpcp.Linux.Tcp;
using static Tcpcp.Linux.Tcp.SocketLevel;

namespace Tcpcp.Tests;

/// <summary>TCP-MD5 signatures (RFC 2385) with one key for every IPv4 peer.</summary>
internal static class Md5
{
    private const int TCP_MD5SIG_EXT = 32; // linux/tcp.h
    private const byte TCP_MD5SIG_FLAG_PREFIX = 1;

    public static bool IsSupported
    {
        get
        {
            using Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            return SocketOption.TrySet(socket.SafeHandle, IPPROTO_TCP, TCP_MD5SIG_EXT, Key());
        }
    }

    public static void SetKey(Socket socket) => SocketOption.Set(socket.SafeHandle, IPPROTO_TCP, TCP_MD5SIG_EXT, Key());

    private static SignatureKey Key()
    {
        SignatureKey key = new() { Family = AF_INET, Flags = TCP_MD5SIG_FLAG_PREFIX, PrefixLength = 0, KeyLength = 6 };
        "secret"u8.CopyTo(MemoryMarshal.AsBytes(new Span<SignatureKey>(ref key))[136..]);
        return key;
    }

    // struct tcp_md5sig
    [StructLayout(LayoutKind.Explicit, Size = 216)]
    private struct SignatureKey
    {
        [FieldOffset(0)] public ushort Family;
        [FieldOffset(128)] public byte Flags;
        [FieldOffset(129)] public byte PrefixLength;
        [FieldOffset(130)] public ushort KeyLength;
        [FieldOffset(136)] public byte Key;
    }
}
