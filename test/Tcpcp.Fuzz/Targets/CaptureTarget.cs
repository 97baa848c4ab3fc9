using System.Net;
using Tcpcp.Check;
using Tcpcp.Check.Capture;
using Tcpcp.Check.Tests.Wire;

namespace Tcpcp.Fuzz.Targets;

/// <summary>A capture, pcap or pcapng, and the judge of its segments.</summary>
internal sealed class CaptureTarget : FuzzTarget
{
    public override string Name => "capture";

    public override bool IsMessage => false;

    public override IReadOnlyList<byte[]> Tokens =>
        [[0x0A, 0x0D, 0x0D, 0x0A], [0x1A, 0x2B, 0x3C, 0x4D], [0x4D, 0x3C, 0x2B, 0x1A], [0xD4, 0xC3, 0xB2, 0xA1], [0xA1, 0xB2, 0x3C, 0x4D], [6, 0, 0, 0], [5, 0, 0, 0], [8, 0], [0x86, 0xDD], [0x81, 0]];

    public override IEnumerable<byte[]> Seeds()
    {
        foreach (bool isIPv6 in (bool[])[false, true])
        {
            Conversation conversation = new Conversation(isIPv6).Handshake().FromPeer(1, 1, 20).FromService(1, 21, 40).FromPeer(21, 41).FromService(1, 21, 40).FromService(41, 21, 0, "FA");
            yield return PcapFile.Write(conversation.Frames);
            yield return PcapFile.Write(conversation.Frames, isBigEndian: true, isNanoseconds: true);
            PcapngFile file = new PcapngFile(isIPv6).Section().Interface(resolution: 9, offsetSeconds: 3).Interface();
            foreach (CapturedFrame frame in conversation.Frames)
                file.Enhanced(frame, 1_764_000_000_000_000_000, dropped: 1).Obsolete(frame, 1, 0).Simple(frame);
            yield return file.Unknown().Statistics(1, 2).ToArray();
        }
    }

    public override void Run(byte[] input)
    {
        foreach (string peer in (string[])["192.0.2.9", "2001:db8::9"])
        {
            try
            {
                using MemoryStream stream = new(input);
                CaptureJudge.Judge(stream, new JudgeOptions { Peer = IPAddress.Parse(peer), ServiceWindowScale = 7 }).ToJson();
            }
            catch (CaptureFormatException)
            {
                // Refused.
            }
        }
    }
}
