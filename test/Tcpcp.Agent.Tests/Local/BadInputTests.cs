using System.Net.Sockets;
using System.Runtime.InteropServices;
using Google.Protobuf;
using Microsoft.Win32.SafeHandles;
using Tcpcp.Agent.Local;
using Tcpcp.Agent.Passing;
using Tcpcp.Core;
using Tcpcp.Core.Wire;
using Tcpcp.Linux.Processes;
using Tcpcp.Linux.UnixSockets;
using Tcpcp.LocalApi;
using static Tcpcp.Core.Wire.LocalMessage;

namespace Tcpcp.Agent.Tests.Local;

/// <summary>Programs that do not keep to the protocol: refused or sent away with a reason, nothing leaks, and the agent serves the others.</summary>
public sealed class BadInputTests
{
    [Fact]
    public async Task A_program_that_sends_garbage_is_sent_away()
    {
        await using ServedAgent agent = ServedAgent.Start();
        using SequencedPacketSocket socket = await agent.ConnectSilentAsync();
        Assert.True(socket.TrySend([0xff, 0xff, 0xff], []));
        using LocalChannel channel = new(socket, 8);
        await agent.AssertSentAwayAsync(channel, "not a LocalMessage");
    }

    [Fact]
    public async Task A_program_that_sends_garbage_after_its_welcome_is_sent_away()
    {
        await using ServedAgent agent = ServedAgent.Start();
        using SequencedPacketSocket socket = await agent.ConnectSilentAsync();
        using LocalChannel channel = new(socket, 8);
        channel.TryPost(new LocalMessage { Hello = new Hello { Version = 1 } });
        await ServedAgent.HearAsync(channel);
        Assert.True(socket.TrySend([0x0a, 0x7f], []));
        await agent.AssertSentAwayAsync(channel, "not a LocalMessage");
    }

    [Fact]
    public async Task A_packet_that_is_too_large_ends_the_conversation()
    {
        await using ServedAgent agent = ServedAgent.Start();
        using SequencedPacketSocket socket = await agent.ConnectSilentAsync(maxBytes: 128 << 10);
        using LocalChannel channel = new(socket, 8);
        channel.TryPost(new LocalMessage { Hello = new Hello { Version = 1 } });
        await ServedAgent.HearAsync(channel);
        Assert.True(socket.TrySend(new byte[100_000], []));
        await agent.AssertSentAwayAsync(channel, "A packet of 100000 bytes");
    }

    [Fact]
    public async Task A_program_of_another_version_is_told_which_one_the_agent_speaks()
    {
        await using ServedAgent agent = ServedAgent.Start();
        using LocalChannel channel = new(await agent.ConnectSilentAsync(), 8);
        channel.TryPost(new LocalMessage { Hello = new Hello { Version = 7 } });
        await agent.AssertSentAwayAsync(channel, "this agent speaks version 1");
    }

    [Fact]
    public async Task The_first_message_must_be_Hello()
    {
        await using ServedAgent agent = ServedAgent.Start();
        using LocalChannel channel = new(await agent.ConnectSilentAsync(), 8);
        channel.TryPost(new LocalMessage { Request = 1, Register = new Register { Application = "early" } });
        await agent.AssertSentAwayAsync(channel, "must be Hello");
        Assert.Empty(agent.Receivers);
    }

    [Fact]
    public async Task A_program_that_says_nothing_is_sent_away_in_time()
    {
        await using ServedAgent agent = ServedAgent.Start(options => options with { HelloTime = TimeSpan.FromMilliseconds(50) });
        using LocalChannel channel = new(await agent.ConnectSilentAsync(), 8);
        await agent.AssertSentAwayAsync(channel, "No Hello came within");
    }

    [Fact]
    public async Task One_program_too_many_is_sent_away()
    {
        await using ServedAgent agent = ServedAgent.Start(options => options with { MaxClients = 1 });
        using (LocalChannel first = await agent.ConnectByHandAsync())
        {
            using LocalChannel second = new(await agent.ConnectSilentAsync(), 8);
            second.TryPost(new LocalMessage { Hello = new Hello { Version = 1 } });
            Assert.Contains("1 programs are connected already", (await ServedAgent.HearAsync(second)).Failed.Reason, StringComparison.Ordinal);
        }

        await Until.True(() => agent.Events.Any(what => what.Kind == LocalEventKind.Disconnected && what.Program == "by hand"));
        using LocalChannel third = await agent.ConnectByHandAsync();
    }

    [Fact]
    public async Task An_agents_own_message_ends_the_conversation()
    {
        await using ServedAgent agent = ServedAgent.Start();
        using LocalChannel channel = await agent.ConnectByHandAsync();
        channel.TryPost(new LocalMessage { Go = new Go() });
        await agent.AssertSentAwayAsync(channel, "Go is nothing that a program says");
    }

    [Theory]
    [InlineData("pipe")]
    [InlineData("udp")]
    [InlineData("unix")]
    [InlineData("file")]
    public async Task What_is_no_TCP_socket_is_not_passed(string kind)
    {
        await using ServedAgent agent = ServedAgent.Start();
        using LocalChannel channel = await agent.ConnectByHandAsync();
        using LoopbackPair pair = LoopbackPair.Connect();
        using SafeHandle other = Make(kind);
        channel.TryPost(Pass(1), pair.Own.SafeHandle, other);
        await ServedAgent.AssertRefusedAsync(channel, "Descriptor 1 is not a TCP socket");
        await Until.True(() => pair.Descriptors == 1);
    }

    [Fact]
    public async Task A_pass_without_descriptors_is_refused()
    {
        await using ServedAgent agent = ServedAgent.Start();
        using LocalChannel channel = await agent.ConnectByHandAsync();
        channel.TryPost(Pass(1));
        await ServedAgent.AssertRefusedAsync(channel, "0 descriptors came with it; a pass takes 1 to 64");
    }

    [Fact]
    public async Task A_pass_of_too_many_connections_is_refused()
    {
        await using ServedAgent agent = ServedAgent.Start();
        using LocalChannel channel = await agent.ConnectByHandAsync();
        using LoopbackPair pair = LoopbackPair.Connect();
        channel.TryPost(Pass(1), [.. Enumerable.Repeat(pair.Own.SafeHandle, 65)]);
        await ServedAgent.AssertRefusedAsync(channel, "65 descriptors came with it");
        await Until.True(() => pair.Descriptors == 1);
    }

    [Fact]
    public async Task A_descriptor_that_belongs_to_nothing_ends_the_conversation_and_is_closed()
    {
        await using ServedAgent agent = ServedAgent.Start();
        using LocalChannel channel = await agent.ConnectByHandAsync();
        using LoopbackPair pair = LoopbackPair.Connect();
        channel.TryPost(new LocalMessage { Request = 1, Register = new Register { Application = "app" } }, pair.Own.SafeHandle);
        await agent.AssertSentAwayAsync(channel, "1 descriptors; 0 belong to it");
        await Until.True(() => pair.Descriptors == 1);
    }

    [Fact]
    public async Task A_request_needs_a_number_that_is_not_open()
    {
        await using ServedAgent agent = ServedAgent.Start();
        TaskCompletionSource release = new();
        agent.PassAsync = async (_, _, _) =>
        {
            await release.Task;
            return new PassResult(PassFailure.Conflict, ConnectionOwner.Origin, "later");
        };
        using LocalChannel channel = await agent.ConnectByHandAsync();
        using LoopbackPair pair = LoopbackPair.Connect();
        channel.TryPost(Pass(0), pair.Own.SafeHandle);
        await ServedAgent.AssertRefusedAsync(channel, "no number");
        channel.TryPost(Pass(5), pair.Own.SafeHandle);
        channel.TryPost(Pass(5), pair.Own.SafeHandle);
        await ServedAgent.AssertRefusedAsync(channel, "Request 5 is open already");
        release.SetResult();
        Assert.Equal("later", (await ServedAgent.HearAsync(channel)).Passed.Detail);
        Assert.Equal(1, pair.Descriptors);
    }

    [Fact]
    public async Task One_question_too_many_is_refused()
    {
        await using ServedAgent agent = ServedAgent.Start(options => options with { MaxRequests = 1 });
        agent.PassAsync = async (_, _, cancellationToken) =>
        {
            await Task.Delay(Timeout.Infinite, cancellationToken);
            return default;
        };
        using LocalChannel channel = await agent.ConnectByHandAsync();
        using LoopbackPair pair = LoopbackPair.Connect();
        channel.TryPost(Pass(1), pair.Own.SafeHandle);
        channel.TryPost(Pass(2), pair.Own.SafeHandle);
        Assert.Contains("1 requests are open already", (await ServedAgent.HearAsync(channel)).Failed.Reason, StringComparison.Ordinal);
        channel.TryPost(new LocalMessage { Request = 1, Cancel = new CancelPass() });
        Assert.Equal("Cancelled", (await ServedAgent.HearAsync(channel)).Passed.Failure);
        Assert.Equal(1, pair.Descriptors);
    }

    [Fact]
    public async Task A_name_that_is_taken_is_refused_until_its_program_has_gone()
    {
        await using ServedAgent agent = ServedAgent.Start();
        using LocalChannel channel = await agent.ConnectByHandAsync();
        using (LocalChannel owner = await agent.ConnectByHandAsync())
        {
            owner.TryPost(new LocalMessage { Request = 1, Register = new Register { Application = "app" } });
            Assert.Equal(BodyOneofCase.Registered, (await ServedAgent.HearAsync(owner)).BodyCase);
            channel.TryPost(new LocalMessage { Request = 2, Register = new Register { Application = "app" } });
            await ServedAgent.AssertRefusedAsync(channel, "'app' is registered already");
        }

        await Until.True(() => agent.Receivers.IsEmpty);
        channel.TryPost(new LocalMessage { Request = 3, Register = new Register { Application = "app" } });
        Assert.Equal(BodyOneofCase.Registered, (await ServedAgent.HearAsync(channel)).BodyCase);
    }

    [Theory]
    [InlineData("")]
    [InlineData("line\nbreak")]
    public async Task A_name_that_cannot_be_is_refused(string name)
    {
        await using ServedAgent agent = ServedAgent.Start();
        using LocalChannel channel = await agent.ConnectByHandAsync();
        channel.TryPost(new LocalMessage { Request = 1, Register = new Register { Application = name } });
        await ServedAgent.AssertRefusedAsync(channel, "printable characters");
    }

    [Fact]
    public async Task Answers_to_nothing_are_refused()
    {
        await using ServedAgent agent = ServedAgent.Start();
        using LocalChannel channel = await agent.ConnectByHandAsync();
        ByteString pass = ByteString.CopyFrom(new byte[16]);
        channel.TryPost(new LocalMessage { PassId = pass, Answer = new Answer() });
        await ServedAgent.AssertRefusedAsync(channel, "wait for an answer");
        channel.TryPost(new LocalMessage { PassId = pass, Quiesced = new Quiesced() });
        await ServedAgent.AssertRefusedAsync(channel, "No pass waits for this state");
        channel.TryPost(new LocalMessage { Request = 4, Cancel = new CancelPass() });
        await ServedAgent.AssertRefusedAsync(channel, "No pass of request 4");
        channel.TryPost(new LocalMessage { Request = 4, WillPass = new WillPass() });
        await ServedAgent.AssertRefusedAsync(channel, "Nobody wants these");
        channel.TryPost(new LocalMessage { Request = 4, StopDrain = new StopDrain() });
        await ServedAgent.AssertRefusedAsync(channel, "No drain of request 4");
        channel.TryPost(new LocalMessage { Known = new Known() });
        await ServedAgent.AssertRefusedAsync(channel, "Known needs");
        Assert.Empty(agent.Claims);
    }

    [Fact]
    public async Task A_state_that_is_no_memory_is_not_read()
    {
        await using ServedAgent agent = ServedAgent.Start();
        using LocalChannel channel = await agent.ConnectByHandAsync();
        Pipe pipe = Pipe.Open(); // reading it would wait for ever
        using (pipe.ReadEnd)
        using (pipe.WriteEnd)
            channel.TryPost(new LocalMessage { Quiesced = new Quiesced { StateInDescriptor = true } }, pipe.ReadEnd);
        await agent.AssertSentAwayAsync(channel, "memfd_create");
    }

    [Fact]
    public async Task A_state_that_is_too_large_is_not_read()
    {
        await using ServedAgent agent = ServedAgent.Start();
        using LocalChannel channel = await agent.ConnectByHandAsync();
        using (SafeFileHandle memory = SealedMemory.Create("large", new byte[LocalProtocol.MaxStateBytes + 1]))
            channel.TryPost(new LocalMessage { Quiesced = new Quiesced { StateInDescriptor = true } }, memory);
        await agent.AssertSentAwayAsync(channel, "the limit is 16777216");
    }

    [Fact]
    public async Task A_program_that_does_not_receive_is_given_up_and_holds_nobody_up()
    {
        await using ServedAgent agent = ServedAgent.Start(options => options with { MaxWaitingPackets = 8 });
        using LocalChannel channel = await agent.ConnectByHandAsync();
        channel.TryPost(new LocalMessage { Request = 1, Register = new Register { Application = "hung" } });
        await Until.True(() => !agent.Receivers.IsEmpty);
        byte[] state = new byte[16 << 10];
        IPassReceiver receiver = agent.Receivers["hung"];
        for (int i = 0; !agent.Events.Any(what => what.Kind == LocalEventKind.SentAway); i++)
        {
            Assert.True(i < 10_000, "It was not given up.");
            receiver.Go(new Arrival(PassId.New(), [], state, 1), []);
            await Task.Yield();
        }

        await Until.True(() => agent.Receivers.IsEmpty);
        Assert.Contains(agent.Events, what => what.Kind == LocalEventKind.SentAway && what.Detail.Contains("8 packets wait", StringComparison.Ordinal));
        using LocalChannel other = await agent.ConnectByHandAsync();
    }

    private static LocalMessage Pass(ulong request) => new() { Request = request, Pass = new PassConnections { Application = "app", Destination = "host-b" } };

    private static SafeHandle Make(string kind)
    {
        switch (kind)
        {
            case "pipe":
                Pipe pipe = Pipe.Open();
                pipe.WriteEnd.Dispose();
                return pipe.ReadEnd;
            case "udp":
                using (Socket socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp))
                    return DuplicatedDescriptor.Of(socket.SafeHandle);
            case "unix":
                using (Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
                    return DuplicatedDescriptor.Of(socket.SafeHandle);
            default:
                return File.OpenHandle("/dev/null");
        }
    }
}
