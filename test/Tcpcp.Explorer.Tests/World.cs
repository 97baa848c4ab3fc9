using System.Runtime.InteropServices;

namespace Tcpcp.Explorer.Tests;

/// <summary>A socket of the one connection at a host.</summary>
internal enum SocketState : byte
{
    None,
    Live,

    /// <summary>In repair mode: frozen at the origin, dormant at the destination.</summary>
    Frozen,
}

/// <summary>
/// Everything that is so at one moment, packed into bytes: equal moments have equal bytes. The stream is one number: the peer has seen some of it, and
/// every copy of the socket has its position.
/// </summary>
internal sealed class World
{
    public const int Length = 96;
    public const int MaxHosts = 3;
    public const int MaxPasses = 2;
    public const int MaxMessages = 12;

    private const int MessagesAt = 0;
    private const int SituationsAt = MessagesAt + 2 * MaxMessages;
    private const int HostsAt = SituationsAt + 4 * MaxPasses;
    private const int HostLength = 12;
    private const int PassesAt = HostsAt + HostLength * MaxHosts;
    private const int PassLength = 7;
    private const int RestAt = PassesAt + PassLength * MaxPasses;

    private readonly byte[] _bytes = new byte[Length];

    public Span<byte> Bytes => _bytes;

    /// <summary>Sorted, the first <see cref="MessageCount"/> of them count, the rest is 0.</summary>
    public Span<ushort> Messages => MemoryMarshal.Cast<byte, ushort>(_bytes.AsSpan(MessagesAt, 2 * MaxMessages));

    private Span<ushort> Situations => MemoryMarshal.Cast<byte, ushort>(_bytes.AsSpan(SituationsAt, 4 * MaxPasses));

    // What the agents hold in memory: a state of the table and what is left to be done.
    public ref ushort Origin(int pass) => ref Situations[pass];

    public ref ushort Destination(int pass) => ref Situations[MaxPasses + pass];

    // Of a host: kernel, application, and what its journal holds for all passes.
    public ref SocketState Socket(int host) => ref MemoryMarshal.Cast<byte, SocketState>(_bytes.AsSpan(HostsAt + HostLength * host, 1))[0];

    public ref byte Position(int host) => ref _bytes[HostsAt + HostLength * host + 1];

    /// <summary>Of the last redirection that the host knows.</summary>
    public ref byte Epoch(int host) => ref _bytes[HostsAt + HostLength * host + 2];

    /// <summary>The pass + 1 that has frozen the socket or made it dormant: the low bits of its mark.</summary>
    public ref byte FrozenBy(int host) => ref _bytes[HostsAt + HostLength * host + 3];

    /// <summary>The pass + 1 that has brought the live socket; the application knows it.</summary>
    public ref byte CameBy(int host) => ref _bytes[HostsAt + HostLength * host + 4];

    public ref byte AgentHolds(int host) => ref _bytes[HostsAt + HostLength * host + 5];

    public ref byte ApplicationHolds(int host) => ref _bytes[HostsAt + HostLength * host + 6];

    public ref byte ApplicationLives(int host) => ref _bytes[HostsAt + HostLength * host + 7];

    /// <summary>The agent has told the application to close its descriptor.</summary>
    public ref byte MustClose(int host) => ref _bytes[HostsAt + HostLength * host + 8];

    /// <summary>0 open, pass + 1, or <see cref="ClosedSinceBoot"/>.</summary>
    public ref byte Gate(int host) => ref _bytes[HostsAt + HostLength * host + 9];

    public ref byte Incarnation(int host) => ref _bytes[HostsAt + HostLength * host + 10];

    public ref byte Tickets(int host) => ref _bytes[HostsAt + HostLength * host + 11];

    public const byte ClosedSinceBoot = 9;

    // Of a pass: journals, what the application at the origin was told, snapshots. Records and terms by their numbers, 0 is none.
    public ref byte OriginJournal(int pass) => ref _bytes[PassesAt + PassLength * pass];

    public ref byte DestinationJournal(int pass) => ref _bytes[PassesAt + PassLength * pass + 1];

    /// <summary>Position in the snapshot that the Accepted record holds.</summary>
    public ref byte Recorded(int pass) => ref _bytes[PassesAt + PassLength * pass + 2];

    public ref byte Told(int pass) => ref _bytes[PassesAt + PassLength * pass + 3];

    /// <summary>Position in the snapshot that the origin has taken.</summary>
    public ref byte Captured(int pass) => ref _bytes[PassesAt + PassLength * pass + 4];

    /// <summary>Position in the snapshot that the destination has got.</summary>
    public ref byte Transferred(int pass) => ref _bytes[PassesAt + PassLength * pass + 5];

    /// <summary>How often an offer with this pass id was made.</summary>
    public ref byte Tries(int pass) => ref _bytes[PassesAt + PassLength * pass + 6];

    public ref byte MessageCount => ref _bytes[RestAt];

    /// <summary>State of the redirector's table, by its number.</summary>
    public ref byte Redirector => ref _bytes[RestAt + 1];

    public ref byte PeerPosition => ref _bytes[RestAt + 2];

    /// <summary>Who owns by the verdicts. Nothing in the system reads it.</summary>
    public ref byte Owner => ref _bytes[RestAt + 3];

    /// <summary>The connection has ended for a stated reason: its owner's host or application died, or it was given up.</summary>
    public ref byte Ended => ref _bytes[RestAt + 4];

    /// <summary>A breach found on the way into this state.</summary>
    public ref byte Breach => ref _bytes[RestAt + 5];

    /// <summary>Two bits for each kind of fault that has happened.</summary>
    public ref ushort Faults => ref MemoryMarshal.Cast<byte, ushort>(_bytes.AsSpan(RestAt + 6, 2))[0];

    public void CopyFrom(ReadOnlySpan<byte> bytes) => bytes.CopyTo(_bytes);
}
