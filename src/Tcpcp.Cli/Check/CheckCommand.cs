using System.CommandLine;
using System.Globalization;
using System.Net;
using Tcpcp.Check;
using Tcpcp.Check.Capture;

namespace Tcpcp.Cli.Check;

/// <summary><c>tcpcp check CAPTURE --peer ADDRESS</c>: was anything contradictory sent to the peer?</summary>
internal static class CheckCommand
{
    private const int Clean = 0;
    private const int Found = 1;
    private const int WrongUse = 2;

    private const string Help = """
        Was anything contradictory sent to the peer? Reads a capture (pcap or pcapng) taken at the peer and judges what the service sent,
        segment by segment: no RST, no FIN before the end, acknowledgements, window and timestamps that never step back, and the same
        bytes when sent again.

        Exit codes: 0 nothing contradictory; 1 something contradictory, or the capture has holes that prevent a verdict; 2 wrong use.

        Examples:
          tcpdump -i eth0 -w peer.pcap tcp port 80            # at the peer, while the connection is passed
          tcpcp check peer.pcap --peer 192.0.2.9
          tcpcp check peer.pcap --peer 2001:db8::9 --pass-at 1764000000.25 --json | jq .contradictions
          tcpcp check lo.pcap --peer 127.0.0.1:51514 --expect-bytes 1048576
        """;

    /// <summary>The command with its options and its action.</summary>
    public static Command Create()
    {
        Argument<string> capture = new("CAPTURE")
        {
            Description = "The capture file, pcap or pcapng, taken at the peer; - for standard input.",
        };
        Option<PeerArgument> peer = new("--peer")
        {
            Description = "The peer's address, or address:port ([address]:port for IPv6).",
            HelpName = "ADDRESS",
            Required = true,
            CustomParser = PeerArgument.Parse,
        };
        Option<bool> json = new("--json") { Description = "One JSON object on standard output, and nothing else." };
        Option<long?> expectBytes = new("--expect-bytes")
        {
            Description = "Length of the stream that the service sends: a FIN elsewhere is unexpected.",
            HelpName = "N",
        };
        Option<DateTimeOffset[]> passAt = new("--pass-at")
        {
            Description = "When the connection was passed, in seconds since 1970; may repeat. Shows the silence around it.",
            HelpName = "UNIXTIME",
            CustomParser = UnixTimeArgument.Parse,
        };
        Option<int?> windowScale = new("--window-scale")
        {
            Description = "The service's window scale, for a capture that begins after the handshake; without it the window is not judged.",
            HelpName = "0-14",
        };
        Option<bool> strict = new("--strict")
        {
            Description = "Put nothing down to a path that reorders or to a lack of receive memory: for the lab.",
        };
        Option<bool> dscpMayChange = new("--dscp-may-change") { Description = "The application itself changes the DSCP, as sshd does." };
        expectBytes.Validators.Add(result => RejectOutside(result, 0, long.MaxValue));
        windowScale.Validators.Add(result => RejectOutside(result, 0, 14));

        Command command = new("check", Help) { capture, peer, json, expectBytes, passAt, windowScale, strict, dscpMayChange };
        command.SetAction(result => Run(result.GetRequiredValue(capture), result.GetValue(json), new JudgeOptions
        {
            Peer = result.GetRequiredValue(peer).Address,
            PeerPort = result.GetRequiredValue(peer).Port,
            ExpectedBytes = result.GetValue(expectBytes),
            HandOvers = result.GetValue(passAt) ?? [],
            ServiceWindowScale = result.GetValue(windowScale),
            IsStrict = result.GetValue(strict),
            DscpMayChange = result.GetValue(dscpMayChange),
        }));
        return command;
    }

    private static int Run(string path, bool asJson, JudgeOptions options)
    {
        CaptureReport report;
        try
        {
            if (path == "-")
            {
                using Stream input = Console.OpenStandardInput();
                report = CaptureJudge.Judge(input, options);
            }
            else
            {
                report = CaptureJudge.Judge(path, options);
            }
        }
        catch (CaptureFormatException e)
        {
            return Refuse($"{path} cannot be read as a capture. {e.Message}");
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return Refuse($"There is no file {path}. Give the capture that tcpdump -w wrote at the peer.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Refuse($"{path} cannot be read: {FailureAdvice.Add(e)}");
        }

        if (report.Connections.Count == 0)
            return Refuse(NoConnection(path, options, report));
        if (asJson)
            Console.Out.WriteLine(report.ToJson());
        else
            CheckTable.Write(report);
        return report.Verdict == Verdict.Clean ? Clean : Found;
    }

    private static string NoConnection(string path, JudgeOptions options, CaptureReport report)
    {
        string peer = options.PeerPort is int port ? new IPEndPoint(options.Peer, port).ToString() : options.Peer.ToString();
        return string.Create(CultureInfo.InvariantCulture,
            $"{path} has {report.Packets} packets and no TCP connection of the peer {peer}. Give the address that the peer has in the ") +
            "capture (tcpdump -nr FILE shows it), and capture at the peer.";
    }

    private static int Refuse(string message)
    {
        Console.Error.WriteLine(message);
        return WrongUse;
    }

    private static void RejectOutside(System.CommandLine.Parsing.OptionResult result, long least, long most)
    {
        foreach (System.CommandLine.Parsing.Token token in result.Tokens)
        {
            if (long.TryParse(token.Value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value)
                && (value < least || value > most))
                result.AddError($"{token.Value} is out of range: give {least} to {(most == long.MaxValue ? "any length" : most)}.");
        }
    }
}
