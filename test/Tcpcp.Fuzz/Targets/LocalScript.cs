using System.Runtime.InteropServices;
using Google.Protobuf;
using Tcpcp.Core.Wire;
using Tcpcp.Fuzz.Fuzzing;
using Tcpcp.Linux.Tcp;

namespace Tcpcp.Fuzz.Targets;

/// <summary>
/// Packets that one end of the local API sends to the other. Their fields, in this order for each: 2 descriptors that come with it, as a number whose digits to the base
/// of 3 are nothing, a TCP socket, a file; 1 the message.
/// </summary>
internal static class LocalScript
{
    public static byte[] Of(params (LocalMessage Message, ulong Descriptors)[] packets) => WireFields.Write(packets.SelectMany(packet => (WireField[])
        [WireField.Of(2, packet.Descriptors), WireField.Of(1, packet.Message.ToByteArray())]));

    public static IEnumerable<(byte[] Message, IReadOnlyList<SafeHandle> Descriptors)> Read(List<WireField> fields)
    {
        const int MaxPackets = 32; // fewer than the other end keeps
        ulong descriptors = 0;
        int packets = 0;
        foreach (WireField field in fields)
        {
            if (field is { Number: 2, Type: 0 })
                descriptors = field.Value;
            if (field is not { Number: 1, Type: 2, Content.Length: > 0 } || ++packets > MaxPackets)
                continue;
            SafeHandle[] handles = [.. Open(descriptors)];
            yield return (field.Content, handles);
            foreach (SafeHandle handle in handles)
                handle.Dispose();
            descriptors = 0;
        }
    }

    private static IEnumerable<SafeHandle> Open(ulong kinds)
    {
        for (; kinds > 0; kinds /= 3)
        {
            if (kinds % 3 == 1)
                yield return RawSocket.Create(ipv6: false); // connected to nothing; a Socket's finalizer would close it under us
            if (kinds % 3 == 2)
                yield return File.OpenHandle("/dev/null");
        }
    }
}
