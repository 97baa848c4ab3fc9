using Tcpcp.Client;
using Tcpcp.Core;
using Tcpcp.Core.Wire;
using DrainProgress = Tcpcp.Client.DrainProgress;

namespace Tcpcp.LocalApi;

/// <summary>Drains as the local protocol has them.</summary>
internal static class DrainWire
{
    public static Drain ToMessage(DrainOrder order)
    {
        Drain message = new()
        {
            ProcessId = (uint)order.ProcessId,
            Descriptor_ = order.Descriptor,
            AsApplication = order.AsApplication,
            Rate = (uint)order.Rate,
            TakeAddresses = order.TakeAddresses,
            AddressesAlone = order.AddressesAlone,
            AddressesFirst = { order.AddressesFirst.Select(address => Google.Protobuf.ByteString.CopyFrom(address.GetAddressBytes())) },
        };
        message.Destinations.Add(order.Destinations);
        message.Applications.Add(order.Applications);
        message.Connections.Add(order.Connections.Select(EndPointWire.ToMessage));
        return message;
    }

    public static DrainOrder FromMessage(Drain message) => new()
    {
        Destinations = [.. message.Destinations],
        Applications = [.. message.Applications],
        Connections = LocalWire.ConnectionsFrom(message.Connections),
        ProcessId = (int)Math.Min(message.ProcessId, int.MaxValue),
        Descriptor = message.Descriptor_,
        AsApplication = message.AsApplication,
        Rate = (int)Math.Min(message.Rate, int.MaxValue),
        TakeAddresses = message.TakeAddresses,
        AddressesAlone = message.AddressesAlone,
        AddressesFirst = LocalWire.AddressesFrom(message.AddressesFirst),
    };

    public static Core.Wire.DrainProgress ToMessage(DrainProgress progress) => new()
    {
        Connection = progress.Connection is { } connection ? EndPointWire.ToMessage(connection) : null,
        Application = progress.Application,
        Destination = progress.Destination,
        Failure = LocalWire.ToMessage(progress.Result.Failure),
        Owner = LocalWire.ToMessage(progress.Result.Owner),
        Detail = progress.Result.Detail,
        BlackoutNs = LocalWire.Nanoseconds(progress.Blackout),
        Done = (uint)progress.Done,
        Total = (uint)progress.Total,
        Address = progress.Address is { } address ? Google.Protobuf.ByteString.CopyFrom(address.GetAddressBytes()) : Google.Protobuf.ByteString.Empty,
    };

    public static DrainProgress FromMessage(Core.Wire.DrainProgress message) => new(
        message.Connection is { } connection ? LocalWire.ConnectionsFrom([connection])[0] : null, message.Application, message.Destination,
        LocalWire.ResultFrom(message.Failure, message.Owner, message.Detail, message.BlackoutNs), LocalWire.FromNanoseconds(message.BlackoutNs),
        (int)Math.Min(message.Done, int.MaxValue), (int)Math.Min(message.Total, int.MaxValue))
    {
        Address = message.Address.Length is 4 or 16 ? new System.Net.IPAddress(message.Address.Span) : null,
    };
}
