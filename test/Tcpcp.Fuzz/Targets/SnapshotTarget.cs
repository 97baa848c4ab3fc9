using Google.Protobuf;
using Tcpcp.Core;

namespace Tcpcp.Fuzz.Targets;

/// <summary>A snapshot as a peer agent sends it: the message, its conversion, the validator.</summary>
internal sealed class SnapshotTarget : FuzzTarget
{
    public override string Name => "snapshot";

    public override IEnumerable<byte[]> Seeds() => Samples.Snapshots().Select(message => message.ToByteArray());

    public override void Run(byte[] input)
    {
        try
        {
            ConnectionSnapshot snapshot = SnapshotWire.FromMessage(Core.Wire.ConnectionSnapshot.Parser.ParseFrom(input));
            if (SnapshotValidator.FindFault(snapshot) is not null)
                return;
            // What is valid can be written again, and is the same.
            byte[] written = SnapshotWire.ToMessage(snapshot).ToByteArray();
            ConnectionSnapshot again = SnapshotWire.FromMessage(Core.Wire.ConnectionSnapshot.Parser.ParseFrom(written));
            if (!SnapshotWire.ToMessage(again).ToByteArray().AsSpan().SequenceEqual(written))
                throw new InvalidOperationException("A valid snapshot is another one after it was written and read.");
        }
        catch (Exception e) when (e is InvalidSnapshotException or InvalidProtocolBufferException)
        {
            // Refused.
        }
    }
}
