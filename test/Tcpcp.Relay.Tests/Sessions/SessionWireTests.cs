using Google.Protobuf;
using Tcpcp.Core.Wire;
using Tcpcp.Relay.Sessions;

namespace Tcpcp.Relay.Tests.Sessions;

public class SessionWireTests
{
    [Fact]
    public void A_state_that_is_whole_is_read() => Assert.NotNull(SessionWire.Read(Sample().ToByteArray(), out _));

    [Fact]
    public void A_state_of_another_version_is_refused_with_both_versions()
    {
        RelaySession newer = Sample();
        newer.Version = 9;
        Assert.Null(SessionWire.Read(newer.ToByteArray(), out string fault));
        Assert.Contains("version 9", fault, StringComparison.Ordinal);
        Assert.Contains("version 1", fault, StringComparison.Ordinal);
    }

    [Fact]
    public void A_state_that_lacks_something_is_refused()
    {
        Action<RelaySession>[] changes =
        [
            one => one.Id = ByteString.CopyFrom(1, 2), one => one.Client = null, one => one.Client.Address = ByteString.CopyFrom(1), one => one.Client.Port = 70_000,
            one => one.ToServer = null, one => one.ToClient = null, one => one.AcceptedUs = -1, one => one.AcceptedUs = long.MaxValue, one => one.Passes = uint.MaxValue,
            one => one.ToServer.Pending = ByteString.CopyFrom(new byte[5 << 20]),
        ];
        Assert.All(changes, change =>
        {
            RelaySession changed = Sample();
            change(changed);
            Assert.Null(SessionWire.Read(changed.ToByteArray(), out string fault));
            Assert.NotEmpty(fault);
        });
    }

    [Fact]
    public void Whatever_bytes_come_it_is_read_or_refused()
    {
        byte[] state = Sample().ToByteArray();
        Random random = new(7);
        for (int i = 0; i < 20_000; i++)
        {
            byte[] changed = [.. state];
            changed[random.Next(changed.Length)] = (byte)random.Next(256);
            if (SessionWire.Read(changed.AsMemory(0, random.Next(changed.Length + 1)), out _) is { } read)
                SessionWire.ClientOf(read);
        }
    }

    private static RelaySession Sample() => new()
    {
        Version = SessionWire.Version,
        Id = ByteString.CopyFrom(Guid.NewGuid().ToByteArray()),
        Listener = "web",
        Pool = "plain",
        Server = "s1",
        Client = new Core.Wire.EndPoint { Address = ByteString.CopyFrom(192, 0, 2, 9), Port = 51514 },
        AcceptedUs = 1_700_000_000_000_000,
        OpeningUs = 1200,
        Passes = 1,
        ToServer = new RelayFlow { Pending = ByteString.CopyFromUtf8("half a line"), ByteCount = 12 },
        ToClient = new RelayFlow { HasSourceEnded = true, HasEnded = true },
    };
}
