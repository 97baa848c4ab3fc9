using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Tcpcp.Lab;
using Tcpcp.Linux;
using Tcpcp.Linux.Streams;

namespace Tcpcp.Bench.Relays;

/// <summary>What clients do with a service behind a relay, or without one, and how fast it is.</summary>
/// <param name="Bulk">Sends as fast as it can.</param>
/// <param name="Echo">Answers what it gets.</param>
internal sealed record RelayTraffic(Host Client, IPEndPoint Bulk, IPEndPoint Echo)
{
    private const int RequestBytes = 100;
    private const int Connectors = 8;

    private static readonly TimeSpan s_warmUp = TimeSpan.FromSeconds(0.3);
    private static readonly TimeSpan s_measured = TimeSpan.FromSeconds(1);

    /// <summary>Gigabits a second that clients receive in all.</summary>
    public double Throughput(int sessions)
    {
        long received = 0;
        using CancellationTokenSource stop = new();
        Socket[] sockets = [.. Enumerable.Range(0, sessions).Select(_ => Open(Bulk))];
        Thread[] readers = [.. sockets.Select(socket => Begin(() =>
        {
            byte[] buffer = new byte[256 << 10];
            while (!stop.IsCancellationRequested && socket.Receive(buffer) is > 0 and int count)
                Interlocked.Add(ref received, count);
        }))];
        Thread.Sleep(s_warmUp);
        (long before, long began) = (Interlocked.Read(ref received), Stopwatch.GetTimestamp());
        Thread.Sleep(s_measured);
        double result = (Interlocked.Read(ref received) - before) * 8 / Stopwatch.GetElapsedTime(began).TotalNanoseconds;
        stop.Cancel();
        End(readers, sockets);
        return result;
    }

    /// <summary>Round trips of small requests, on each session one after the other, in microseconds, ascending.</summary>
    public double[] RoundTrips(int sessions)
    {
        Socket[] sockets = [.. Enumerable.Range(0, sessions).Select(_ => Open(Echo))];
        using ReadinessPoll poll = ReadinessPoll.Open();
        long[] sentAt = new long[sessions];
        int[] missing = new int[sessions];
        byte[] request = new byte[RequestBytes], answer = new byte[RequestBytes];
        for (int i = 0; i < sessions; i++)
        {
            sockets[i].Blocking = false;
            poll.Add(sockets[i].SafeHandle, (ulong)i);
            Ask(i);
        }

        List<double> trips = [];
        ReadyDescriptor[] ready = new ReadyDescriptor[256];
        long began = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(began) is var elapsed && elapsed < s_warmUp + s_measured)
        {
            int count = poll.Wait(ready, 100);
            foreach (ReadyDescriptor one in ready.AsSpan(0, count))
            {
                int i = (int)one.Key;
                int read = StreamSocket.Receive(sockets[i].SafeHandle, answer);
                if (read == -Errno.EAGAIN)
                    continue;
                if (read <= 0)
                    throw new InvalidOperationException($"A session ended: {read}.");
                if ((missing[i] -= read) > 0)
                    continue;
                if (elapsed > s_warmUp)
                    trips.Add(Stopwatch.GetElapsedTime(sentAt[i]).TotalMicroseconds);
                Ask(i);
            }
        }

        End([], sockets);
        trips.Sort();
        return [.. trips];

        void Ask(int i)
        {
            (sentAt[i], missing[i]) = (Stopwatch.GetTimestamp(), RequestBytes);
            if (StreamSocket.Send(sockets[i].SafeHandle, request) != RequestBytes)
                throw new InvalidOperationException("A small request did not fit into the socket.");
        }
    }

    /// <summary>Sessions a second that connect, get one answer and close.</summary>
    public double Connects()
    {
        int done = 0;
        using CancellationTokenSource stop = new();
        Thread[] connectors = [.. Enumerable.Range(0, Connectors).Select(_ => Begin(() =>
        {
            byte[] one = new byte[1];
            while (!stop.IsCancellationRequested)
            {
                using Socket socket = Open(Echo);
                socket.Send(one);
                if (socket.Receive(one) != 1)
                    throw new InvalidOperationException("A session ended before its answer.");
                Interlocked.Increment(ref done);
            }
        }))];
        Thread.Sleep(s_warmUp);
        (int before, long began) = (Volatile.Read(ref done), Stopwatch.GetTimestamp());
        Thread.Sleep(s_measured);
        double result = (Volatile.Read(ref done) - before) / Stopwatch.GetElapsedTime(began).TotalSeconds;
        stop.Cancel();
        End(connectors, []);
        return result;
    }

    /// <summary>Opens sessions that have had an answer and are idle from now on.</summary>
    public Socket[] OpenIdle(int sessions)
    {
        byte[] one = new byte[1];
        Socket[] sockets = [.. Enumerable.Range(0, sessions).Select(_ => Open(Echo))];
        foreach (Socket socket in sockets)
        {
            socket.Send(one);
            socket.Receive(one);
        }

        return sockets;
    }

    private Socket Open(IPEndPoint endPoint)
    {
        Socket socket = Client.Run(() => new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true });
        socket.Connect(endPoint);
        return socket;
    }

    private static Thread Begin(Action work)
    {
        Thread thread = new(() => work()) { IsBackground = true };
        thread.Start();
        return thread;
    }

    private static void End(Thread[] threads, Socket[] sockets)
    {
        foreach (Thread thread in threads)
            thread.Join();
        foreach (Socket socket in sockets)
            socket.Dispose();
    }
}
