using Google.Protobuf;
using Tcpcp.Client;
using Tcpcp.Core.Wire;
using DestinationStatus = Tcpcp.Client.DestinationStatus;
using RedirectorStatus = Tcpcp.Client.RedirectorStatus;

namespace Tcpcp.LocalApi;

/// <summary>An agent's status as the local protocol has it.</summary>
internal static class StatusWire
{
    public static Status ToMessage(AgentStatus status)
    {
        Status message = new()
        {
            AgentVersion = status.AgentVersion,
            Host = status.Host,
            Incarnation = ByteString.CopyFrom(status.Incarnation.ToByteArray()),
            UptimeMs = (long)status.Uptime.TotalMilliseconds,
            OpenPasses = (uint)status.OpenPasses,
            InDoubt = (uint)status.InDoubt,
            PassedOut = (ulong)status.PassedOut,
            PassedIn = (ulong)status.PassedIn,
            Refused = (ulong)status.Refused,
            Failed = (ulong)status.Failed,
            HeldPackets = (ulong)status.HeldPackets,
            JournalBytes = (ulong)status.JournalBytes,
            Redirection = status.Redirection,
        };
        message.Applications.Add(status.Applications.Select(application => new RegisteredApplication
        {
            Name = application.Name,
            ProcessId = (uint)application.ProcessId,
            Program = application.Program,
        }));
        message.Destinations.Add(status.Destinations.Select(destination => new Core.Wire.DestinationStatus
        {
            Name = destination.Name,
            Address = destination.Address,
            IsConnected = destination.IsConnected,
            RoundTripNs = LocalWire.Nanoseconds(destination.RoundTrip),
        }));
        message.Redirectors.Add(status.Redirectors.Select(redirector => new Core.Wire.RedirectorStatus
        {
            Name = redirector.Name,
            Address = redirector.Address,
            IsConnected = redirector.IsConnected,
            RoundTripNs = LocalWire.Nanoseconds(redirector.RoundTrip),
            OutstandingOrders = (uint)redirector.OutstandingOrders,
            OldestOrderNs = LocalWire.Nanoseconds(redirector.OldestOrder),
            Fault = redirector.Fault,
        }));
        return message;
    }

    /// <exception cref="Linux.UnixSockets.PacketException">A time is none.</exception>
    public static AgentStatus FromMessage(Status message) => new()
    {
        AgentVersion = message.AgentVersion,
        Host = message.Host,
        Incarnation = message.Incarnation.Length == 16 ? new Guid(message.Incarnation.Span) : Guid.Empty,
        Uptime = LocalWire.FromMilliseconds(message.UptimeMs),
        Applications = [.. message.Applications.Select(application =>
            new RegisteredApplicationStatus(application.Name, (int)application.ProcessId, application.Program))],
        Destinations = [.. message.Destinations.Select(destination => new DestinationStatus(
            destination.Name, destination.Address, destination.IsConnected, LocalWire.FromNanoseconds(destination.RoundTripNs)))],
        Redirectors = [.. message.Redirectors.Select(redirector => new RedirectorStatus
        {
            Name = redirector.Name,
            Address = redirector.Address,
            IsConnected = redirector.IsConnected,
            RoundTrip = LocalWire.FromNanoseconds(redirector.RoundTripNs),
            OutstandingOrders = (int)redirector.OutstandingOrders,
            OldestOrder = LocalWire.FromNanoseconds(redirector.OldestOrderNs),
            Fault = redirector.Fault,
        })],
        OpenPasses = (int)message.OpenPasses,
        InDoubt = (int)message.InDoubt,
        PassedOut = (long)message.PassedOut,
        PassedIn = (long)message.PassedIn,
        Refused = (long)message.Refused,
        Failed = (long)message.Failed,
        HeldPackets = (long)message.HeldPackets,
        JournalBytes = (long)message.JournalBytes,
        Redirection = message.Redirection,
    };
}
