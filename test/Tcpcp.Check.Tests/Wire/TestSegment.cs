namespace Tcpcp.Check.Tests.Wire;

/// <summary>A segment to build; sequence numbers are relative to the ISS, as Wireshark shows them (0 is the SYN, 1 the first
/// byte).</summary>
internal sealed record TestSegment
{
    public bool FromService { get; init; } = true;
    public long Seq { get; init; }
    public long Ack { get; init; }
    public string Flags { get; init; } = "A";
    public byte[] Data { get; init; } = [];
    public ushort Window { get; init; } = 1000;
    public bool HasTimestamps { get; init; } = true;

    /// <summary>Null: the sender's clock.</summary>
    public uint? TsVal { get; init; }

    /// <summary>Null: the other end's last TSval.</summary>
    public uint? TsEcr { get; init; }
    public int Mss { get; init; }
    public int WindowScale { get; init; } = -1;
    public bool SackPermitted { get; init; }
    public (long Left, long Right)[] Sack { get; init; } = [];
    public byte Ttl { get; init; } = 64;
    public byte Tos { get; init; }
    public uint FlowLabel { get; init; } = 7;

    /// <summary>Null: one more than the sender's last.</summary>
    public ushort? Identification { get; init; }

    /// <summary>Last byte of the sender's MAC address.</summary>
    public byte Mac { get; init; }

    /// <summary>Milliseconds since the previous segment.</summary>
    public double After { get; init; } = 1;

    /// <summary>Bytes of payload cut off by the snapshot length.</summary>
    public int CutOff { get; init; }

    /// <summary>The IPv4 total length says 0, as BIG TCP does.</summary>
    public bool HasNoLength { get; init; }
}
