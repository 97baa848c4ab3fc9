using System.Buffers.Binary;
using System.Net.Sockets;
using Google.Protobuf;
using Tcpcp.Core.Wire;

namespace Tcpcp.Agent.Tests.Conversations;

/// <summary>One link through a proxy. It knows where messages begin and end: four bytes of length, big endian, and a <see cref="PassMessage"/>.</summary>
internal sealed class ProxiedLink : IDisposable
{
    private const int PrefixBytes = 4;

    private readonly Lock _lock = new();
    private readonly Socket _origin;
    private readonly Socket _destination;
    private readonly LinkFault _fault;
    private readonly Func<bool> _takeFault;
    private readonly Task[] _running;
    private readonly ManualResetEventSlim _disposing = new();
    private bool _isSilent;
    private bool _isBroken;

    /// <param name="takeFault">Whether the fault is this link's: it happens once.</param>
    public ProxiedLink(Socket origin, Socket destination, LinkFault fault, Func<bool> takeFault)
    {
        (_origin, _destination, _fault, _takeFault) = (origin, destination, fault, takeFault);
        origin.NoDelay = true;
        _running = [Run(origin, destination), Run(destination, origin)];
    }

    public void Dispose()
    {
        _disposing.Set();
        ShutDown();
        Task.WaitAll(_running);
        _origin.Dispose();
        _destination.Dispose();
        _disposing.Dispose();
    }

    private Task Run(Socket from, Socket to) =>
        Task.Factory.StartNew(() => Forward(from, to), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private void Forward(Socket from, Socket to)
    {
        try
        {
            while (ReadMessage(from) is { } bytes && Forward(bytes, to))
            {
            }
        }
        catch (SocketException)
        {
            // One side is gone: the other hears of it, unless the link is silent.
        }

        if (IsSilent)
            _disposing.Wait();
        else
            ShutDown();
    }

    private bool IsSilent
    {
        get
        {
            lock (_lock)
                return _isSilent;
        }
    }

    // Under the lock: when the link breaks in one direction, nothing comes through in the other either.
    private bool Forward(byte[] bytes, Socket to)
    {
        lock (_lock)
        {
            if (_isSilent || _isBroken)
                return false;
            if (_fault.Rewrite is { } rewrite)
                bytes = Framed(rewrite(PassMessage.Parser.ParseFrom(bytes, PrefixBytes, bytes.Length - PrefixBytes)));
            if (!_fault.Message(PassMessage.Parser.ParseFrom(bytes, PrefixBytes, bytes.Length - PrefixBytes)) || !_takeFault())
            {
                Send(to, bytes);
                return true;
            }

            Send(to, bytes.AsSpan(0, _fault.Bytes(bytes.Length)));
            (_isSilent, _isBroken) = (_fault.IsSilent, !_fault.IsSilent);
            return false;
        }
    }

    private static byte[] Framed(PassMessage message)
    {
        byte[] bytes = new byte[PrefixBytes + message.CalculateSize()];
        BinaryPrimitives.WriteInt32BigEndian(bytes, bytes.Length - PrefixBytes);
        message.WriteTo(bytes.AsSpan(PrefixBytes));
        return bytes;
    }

    private static byte[]? ReadMessage(Socket socket)
    {
        byte[] prefix = new byte[PrefixBytes];
        if (!Read(socket, prefix))
            return null;
        byte[] bytes = new byte[PrefixBytes + BinaryPrimitives.ReadInt32BigEndian(prefix)];
        prefix.CopyTo(bytes, 0);
        return Read(socket, bytes.AsSpan(PrefixBytes)) ? bytes : null;
    }

    private static bool Read(Socket socket, Span<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            int count = socket.Receive(bytes);
            if (count == 0)
                return false;
            bytes = bytes[count..];
        }

        return true;
    }

    private static void Send(Socket socket, ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
            bytes = bytes[socket.Send(bytes)..];
    }

    // What was forwarded arrives before the end; closing with a thread in a call would make it an RST, which may overtake it.
    private void ShutDown()
    {
        foreach (Socket socket in (Socket[])[_origin, _destination])
        {
            try
            {
                socket.Shutdown(SocketShutdown.Both);
            }
            catch (SocketException)
            {
                // The other side has ended it already.
            }
        }
    }
}
