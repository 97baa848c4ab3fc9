using CsCheck;
using Google.Protobuf;

namespace Tcpcp.Core.Tests.Snapshot;

public class SnapshotWireTests
{
    [Fact]
    public void Every_valid_snapshot_survives_the_wire() => Generators.Snapshot.Sample(snapshot =>
        Assert.Equal(SnapshotLeaves.Of(snapshot), SnapshotLeaves.Of(RoundTrip(snapshot))));

    [Fact]
    public void No_property_is_forgotten_on_the_wire()
    {
        ConnectionSnapshot snapshot = SnapshotLeaves.AllSet();
        IReadOnlyDictionary<string, object?> leaves = SnapshotLeaves.Of(snapshot);
        Assert.All(leaves, leaf => Assert.False(IsDefault(leaf.Value), $"{leaf.Key} was not set."));
        Assert.Equal(leaves, SnapshotLeaves.Of(RoundTrip(snapshot)));
    }

    [Fact]
    public void A_snapshot_without_congestion_state_has_a_wire_form()
    {
        ConnectionSnapshot read = RoundTrip(Examples.Snapshot with { Congestion = default });
        Assert.Equal("", read.Congestion.Algorithm);
        Assert.Null(SnapshotValidator.FindFault(read));
    }

    [Theory]
    [InlineData(2u, 0u, "2.0")]
    [InlineData(2u, 7u, "2.7")]
    [InlineData(0u, 0u, "0.0")]
    [InlineData(uint.MaxValue, 1u, "4294967295.1")]
    public void Another_major_version_is_refused_and_both_versions_are_named(uint major, uint minor, string name)
    {
        InvalidSnapshotException refused = AssertRefused(message => (message.VersionMajor, message.VersionMinor) = (major, minor));
        Assert.Contains($"format version {name}", refused.Message, StringComparison.Ordinal);
        Assert.Contains("reads 1.x", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_newer_minor_version_with_an_unknown_field_is_accepted()
    {
        Wire.ConnectionSnapshot message = SnapshotWire.ToMessage(Examples.Snapshot);
        message.VersionMinor = 99;
        byte[] unknownField = [0xC0, 0x3E, 0x01]; // field 1000, varint
        Wire.ConnectionSnapshot read = Wire.ConnectionSnapshot.Parser.ParseFrom([.. message.ToByteArray(), .. unknownField]);
        Assert.Equal(SnapshotLeaves.Of(Examples.Snapshot), SnapshotLeaves.Of(SnapshotWire.FromMessage(read)));
    }

    [Theory]
    [InlineData(nameof(Wire.ConnectionSnapshot.Local))]
    [InlineData(nameof(Wire.ConnectionSnapshot.Peer))]
    [InlineData(nameof(Wire.ConnectionSnapshot.Send))]
    [InlineData(nameof(Wire.ConnectionSnapshot.Receive))]
    [InlineData(nameof(Wire.ConnectionSnapshot.Window))]
    [InlineData(nameof(Wire.ConnectionSnapshot.Negotiated))]
    [InlineData(nameof(Wire.ConnectionSnapshot.Options))]
    public void A_missing_part_is_refused(string part)
    {
        InvalidSnapshotException refused = AssertRefused(message => typeof(Wire.ConnectionSnapshot).GetProperty(part)!.SetValue(message, null));
        Assert.Equal("The snapshot lacks a part.", refused.Message);
    }

    [Fact]
    public void A_missing_clock_and_missing_congestion_state_are_taken_for_none()
    {
        Wire.ConnectionSnapshot message = SnapshotWire.ToMessage(Examples.Snapshot);
        (message.Timestamps, message.Congestion) = (null, null);
        ConnectionSnapshot read = SnapshotWire.FromMessage(message);
        Assert.Equal(default, read.Timestamps);
        Assert.Equal(new CongestionState("", 0, 0, default, default, 0, 0, CongestionStart.Default), read.Congestion);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(5)]
    [InlineData(15)]
    [InlineData(17)]
    public void An_address_of_another_length_is_refused(int length)
    {
        Assert.Contains($"{length} bytes", AssertRefused(message => message.Local.Address = Bytes(length)).Message, StringComparison.Ordinal);
        Assert.Contains($"{length} bytes", AssertRefused(message => message.Peer.Address = Bytes(length)).Message, StringComparison.Ordinal);
        if (length > 0) // an empty one is none
            Assert.Contains($"{length} bytes", AssertRefused(message => message.ForwardedBy = Bytes(length)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(65536u)]
    [InlineData(uint.MaxValue)]
    public void A_port_that_is_none_is_refused(uint port)
    {
        Assert.Contains("port", AssertRefused(message => message.Local.Port = port).Message, StringComparison.Ordinal);
        Assert.Contains("port", AssertRefused(message => message.Peer.Port = port).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Ends_of_different_families_are_refused() =>
        Assert.Contains("different address families", AssertRefused(message => message.Peer.Address = Bytes(16)).Message, StringComparison.Ordinal);

    [Fact]
    public void A_v4_mapped_end_and_an_IPv6_end_are_refused() =>
        Assert.Contains("different address families", AssertRefused(message =>
        {
            message.Local.Address = ByteString.CopyFrom(System.Net.IPAddress.Parse("::ffff:192.0.2.1").GetAddressBytes());
            message.Peer.Address = Bytes(16);
        }).Message, StringComparison.Ordinal);

    [Fact]
    public void A_scale_that_no_SYN_can_carry_is_refused()
    {
        Assert.Contains("window scale", AssertRefused(message => message.Negotiated.SndWscale = 15).Message, StringComparison.Ordinal);
        Assert.Contains("window scale", AssertRefused(message => message.Negotiated.RcvWscale = 256 + 7).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_type_of_service_of_more_than_a_byte_is_refused() =>
        Assert.Contains("type of service", AssertRefused(message => message.Options.TypeOfService = 256).Message, StringComparison.Ordinal);

    [Fact]
    public void Random_bytes_are_read_or_refused_by_name() => Gen.Byte.Array[0, 200].Sample(AssertReadOrRefused);

    [Fact]
    public void A_truncated_snapshot_is_read_or_refused_by_name() => Gen.Select(Generators.Snapshot, Gen.Double.Unit).Sample((snapshot, part) =>
    {
        byte[] bytes = SnapshotWire.ToMessage(snapshot).ToByteArray();
        AssertReadOrRefused(bytes[..(int)(bytes.Length * part)]);
    });

    [Fact]
    public void A_damaged_snapshot_is_read_or_refused_by_name() =>
        Gen.Select(Generators.Snapshot, Gen.Select(Gen.Double.Unit, Gen.Byte).Array[1, 8]).Sample((snapshot, damages) =>
        {
            byte[] bytes = SnapshotWire.ToMessage(snapshot).ToByteArray();
            foreach ((double place, byte value) in damages)
                bytes[(int)(place * (bytes.Length - 1))] = value;
            AssertReadOrRefused(bytes);
        });

    private static ConnectionSnapshot RoundTrip(ConnectionSnapshot snapshot) =>
        SnapshotWire.FromMessage(Wire.ConnectionSnapshot.Parser.ParseFrom(SnapshotWire.ToMessage(snapshot).ToByteArray()));

    private static InvalidSnapshotException AssertRefused(Action<Wire.ConnectionSnapshot> damage)
    {
        Wire.ConnectionSnapshot message = SnapshotWire.ToMessage(Examples.Snapshot);
        damage(message);
        return Assert.Throws<InvalidSnapshotException>(() => SnapshotWire.FromMessage(message));
    }

    // Any other exception fails the test; so does one of the validator, which must give an answer to whatever could be read.
    private static void AssertReadOrRefused(byte[] bytes)
    {
        try
        {
            _ = SnapshotValidator.FindFault(SnapshotWire.FromMessage(Wire.ConnectionSnapshot.Parser.ParseFrom(bytes)));
        }
        catch (Exception e) when (e is InvalidSnapshotException or InvalidProtocolBufferException)
        {
            // Refused.
        }
    }

    private static ByteString Bytes(int length) => ByteString.CopyFrom([.. Enumerable.Range(1, length).Select(i => (byte)i)]);

    private static bool IsDefault(object? value) => value is null or "" || (value.GetType().IsValueType && value.Equals(Activator.CreateInstance(value.GetType())));
}
