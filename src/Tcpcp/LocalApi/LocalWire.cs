using System.Net;
using Google.Protobuf;
using Tcpcp.Client;
using Tcpcp.Core;
using Tcpcp.Core.Passing;
using Tcpcp.Core.Wire;
using Tcpcp.Linux.UnixSockets;
using FourTuple = Tcpcp.Core.FourTuple;
using OpenPass = Tcpcp.Client.OpenPass;

namespace Tcpcp.LocalApi;

/// <summary>What a pass is called and how it ended, as the local protocol has it.</summary>
internal static class LocalWire
{
    private const int NanosecondsPerTick = 100;
    private const long MaxMilliseconds = long.MaxValue / TimeSpan.TicksPerMillisecond;

    public static ByteString ToBytes(PassId pass) => ByteString.CopyFrom(pass.Value.ToByteArray());

    /// <returns>Null if the message names no pass.</returns>
    public static PassId? PassOf(LocalMessage message) => PassFrom(message.PassId);

    public static PassId? PassFrom(ByteString bytes) => bytes.Length == 16 ? new PassId(new Guid(bytes.Span)) : null;

    public static Ticket ToMessage(PassTicket ticket) =>
        new() { Incarnation = ByteString.CopyFrom(ticket.Incarnation.ToByteArray()), Number = ticket.Number };

    /// <returns>Null if the message has no proper ticket.</returns>
    public static PassTerms? TermsFrom(Ticket? ticket, ulong epoch) =>
        ticket is { Incarnation.Length: 16 } ? new PassTerms(new PassTicket(new Guid(ticket.Incarnation.Span), ticket.Number), epoch) : null;

    public static IReadOnlyList<FourTuple> ConnectionsFrom(IEnumerable<Core.Wire.FourTuple> messages) => From(messages, EndPointWire.FromMessage);

    /// <exception cref="PacketException">One makes no sense.</exception>
    public static IReadOnlyList<IPAddress> AddressesFrom(IEnumerable<ByteString> messages) => From(messages, EndPointWire.AddressFrom);

    private static IReadOnlyList<TValue> From<TMessage, TValue>(IEnumerable<TMessage> messages, Func<TMessage, TValue> read)
    {
        try
        {
            return [.. messages.Select(read)];
        }
        catch (InvalidSnapshotException e)
        {
            throw new PacketException(e.Message, e);
        }
    }

    public static PassOwner ToMessage(ConnectionOwner owner) => owner switch
    {
        ConnectionOwner.Origin => PassOwner.Origin,
        ConnectionOwner.Destination => PassOwner.Destination,
        ConnectionOwner.InDoubt => PassOwner.InDoubt,
        _ => PassOwner.Nobody,
    };

    public static string ToMessage(PassFailure failure) => failure == PassFailure.None ? "" : failure.ToString();

    /// <exception cref="PacketException">No such owner.</exception>
    public static PassResult ResultFrom(string failure, PassOwner owner, string detail, ulong blackoutNanoseconds = 0)
    {
        ConnectionOwner owns = owner switch
        {
            PassOwner.Origin => ConnectionOwner.Origin,
            PassOwner.Destination => ConnectionOwner.Destination,
            PassOwner.InDoubt => ConnectionOwner.InDoubt,
            PassOwner.Nobody => ConnectionOwner.Nobody,
            _ => throw new PacketException("An outcome came without the connection's owner."),
        };
        // A newer agent may have reasons that this library does not know: the detail says them.
        PassFailure known = failure.Length == 0 ? PassFailure.None : Enum.TryParse(failure, out PassFailure parsed) ? parsed : PassFailure.NotPassable;
        return new PassResult(known, owns, detail) { Blackout = FromNanoseconds(blackoutNanoseconds) };
    }

    public static Core.Wire.OpenPass ToMessage(OpenPass pass)
    {
        Core.Wire.OpenPass message = new()
        {
            PassId = ToBytes(pass.Pass),
            Side = pass.Role == HostRole.Origin ? JournalSide.Origin : JournalSide.Destination,
            State = pass.State,
            Application = pass.Application,
            OtherHost = pass.OtherHost,
            AgeMs = (long)pass.Age.TotalMilliseconds,
            KernelTimeLeftMs = (long)(pass.KernelTimeLeft?.TotalMilliseconds ?? 0),
            Detail = pass.Detail,
        };
        message.Connections.Add(pass.Connections.Select(EndPointWire.ToMessage));
        return message;
    }

    public static OpenPass FromMessage(Core.Wire.OpenPass message) => new(
        PassFrom(message.PassId) ?? throw new PacketException("A pass came without its name."),
        message.Side == JournalSide.Origin ? HostRole.Origin : HostRole.Destination,
        message.State, ConnectionsFrom(message.Connections), message.Application, message.OtherHost, FromMilliseconds(message.AgeMs),
        message.KernelTimeLeftMs == 0 ? null : FromMilliseconds(message.KernelTimeLeftMs), message.Detail);

    public static SettlePass.Types.Way ToMessage(SettleWay way) => way switch
    {
        SettleWay.AskAgain => SettlePass.Types.Way.AskAgain,
        SettleWay.Abandon => SettlePass.Types.Way.Abandon,
        SettleWay.DestinationIsDead => SettlePass.Types.Way.DestinationIsDead,
        _ => throw new ArgumentOutOfRangeException(nameof(way), way, "There is no such way."),
    };

    /// <returns>Null if there is no such way.</returns>
    public static SettleWay? FromMessage(SettlePass.Types.Way way) => way switch
    {
        SettlePass.Types.Way.AskAgain => SettleWay.AskAgain,
        SettlePass.Types.Way.Abandon => SettleWay.Abandon,
        SettlePass.Types.Way.DestinationIsDead => SettleWay.DestinationIsDead,
        _ => null,
    };

    /// <exception cref="PacketException">No time is so long.</exception>
    public static TimeSpan FromMilliseconds(long milliseconds) => Math.Abs((decimal)milliseconds) <= MaxMilliseconds ? TimeSpan.FromMilliseconds(milliseconds)
        : throw new PacketException($"A time of {milliseconds} ms came, which is none.");

    public static ulong Nanoseconds(TimeSpan? time) => (ulong)Math.Max(0, time?.Ticks ?? 0) * NanosecondsPerTick;

    /// <returns>Null for 0, which stands for a time that is not known.</returns>
    public static TimeSpan? FromNanoseconds(ulong nanoseconds) => nanoseconds == 0 ? null : TimeSpan.FromTicks((long)(nanoseconds / NanosecondsPerTick));
}
