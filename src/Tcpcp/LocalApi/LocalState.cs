using System.Runtime.InteropServices;
using Google.Protobuf;
using Tcpcp.Linux.UnixSockets;

namespace Tcpcp.LocalApi;

/// <summary>An application's state as it is sent: in the message while it is small, else in a descriptor behind all others.</summary>
/// <param name="File">Null if it is in the message.</param>
internal readonly record struct LocalState(ByteString Inline, SafeHandle? File) : IDisposable
{
    public bool IsInDescriptor => File is not null;

    public static LocalState Of(ReadOnlyMemory<byte> state) => state.Length <= LocalProtocol.MaxInlineStateBytes
        ? new LocalState(UnsafeByteOperations.UnsafeWrap(state), null)
        : new LocalState(ByteString.Empty, SealedMemory.Create("tcpcp-state", state.Span));

    public IReadOnlyList<SafeHandle> Behind(IReadOnlyList<SafeHandle> descriptors) => File is null ? descriptors : [.. descriptors, File];

    public void Dispose() => File?.Dispose();
}
