using System.Runtime.InteropServices;

namespace Tcpcp.Linux;

/// <summary>struct msghdr: what sendmsg(2) and recvmsg(2) work on.</summary>
[KernelHeader("sys/socket.h", Structure = "struct msghdr",
    Fields = "msg_name msg_namelen msg_iov msg_iovlen msg_control msg_controllen msg_flags")]
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct MessageHeader
{
    public void* Name;
    public int NameLength;
    public IoVector* Vectors;
    public nuint VectorCount;
    public void* Control;
    public nuint ControlLength;
    public int Flags;
}

/// <summary>struct iovec.</summary>
[KernelHeader("sys/uio.h", Structure = "struct iovec", Fields = "iov_base iov_len")]
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct IoVector
{
    public void* Base;
    public nuint Length;
}
