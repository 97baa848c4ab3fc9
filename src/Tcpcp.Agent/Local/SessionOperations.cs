using Tcpcp.Client;
using Tcpcp.Core;
using Tcpcp.Core.Wire;
using Tcpcp.Linux.UnixSockets;
using Tcpcp.LocalApi;
using static Tcpcp.Core.Wire.LocalMessage;
using DrainProgress = Tcpcp.Client.DrainProgress;
using OpenPass = Tcpcp.Client.OpenPass;

namespace Tcpcp.Agent.Local;

/// <summary>What an operator asks over one session. Thread-safe but for <see cref="Handle"/>.</summary>
internal sealed class SessionOperations(LocalSession session)
{
    private const int PassListBytes = 48 << 10; // well below a packet

    private readonly Dictionary<ulong, CancellationTokenSource> _open = [];
    private readonly Lock _lock = new();

    public void Handle(LocalMessage message)
    {
        if (message.BodyCase == BodyOneofCase.StopDrain)
        {
            Stop(message);
            return;
        }

        CancellationTokenSource stopping = CancellationTokenSource.CreateLinkedTokenSource(session.Ended);
        string? obstacle;
        lock (_lock)
        {
            obstacle = message.Request == 0 ? "The request has no number."
                : _open.Count >= session.Options.MaxRequests ? $"{_open.Count} requests are open already: wait for one."
                : _open.TryAdd(message.Request, stopping) ? null : $"Request {message.Request} is open already.";
        }

        if (obstacle is null)
        {
            _ = AnswerAsync(message, stopping);
            return;
        }

        stopping.Dispose();
        session.Refuse(message, obstacle);
    }

    private void Stop(LocalMessage message)
    {
        lock (_lock)
        {
            if (_open.TryGetValue(message.Request, out CancellationTokenSource? stopping))
            {
                stopping.Cancel();
                return;
            }
        }

        session.Refuse(message, $"No drain of request {message.Request} is running.");
    }

    private async Task AnswerAsync(LocalMessage message, CancellationTokenSource stopping)
    {
        await Task.Yield();
        try
        {
            await (message.BodyCase switch
            {
                BodyOneofCase.ListPasses => ListAsync(message, stopping.Token),
                BodyOneofCase.Settle => SettleAsync(message, stopping.Token),
                BodyOneofCase.Drain => DrainAsync(message, stopping.Token),
                _ => StatusAsync(message, stopping.Token),
            });
        }
        catch (Exception e) when (e is OperationRefusedException or PacketException)
        {
            session.Refuse(message, e.Message);
        }
        catch (OperationCanceledException)
        {
            // The operator has gone.
        }
        catch (Exception e)
        {
            session.Refuse(message, $"The agent failed: {e}"); // a bug: who asked must not wait for ever
        }
        finally
        {
            lock (_lock)
            {
                _open.Remove(message.Request);
                stopping.Dispose();
            }
        }
    }

    private async Task ListAsync(LocalMessage message, CancellationToken cancellationToken)
    {
        PassList list = new();
        int bytes = 0;
        foreach (OpenPass pass in await session.Services.Operations.ListPassesAsync(message.ListPasses.InDoubtOnly, cancellationToken))
        {
            Core.Wire.OpenPass one = LocalWire.ToMessage(pass);
            if (bytes + one.CalculateSize() > PassListBytes)
            {
                list.More = true;
                await session.PostAsync(new LocalMessage { Request = message.Request, PassList = list });
                (list, bytes) = (new PassList(), 0);
            }

            list.Passes.Add(one);
            bytes += one.CalculateSize();
        }

        await session.PostAsync(new LocalMessage { Request = message.Request, PassList = list });
    }

    private async Task SettleAsync(LocalMessage message, CancellationToken cancellationToken)
    {
        if (LocalWire.PassOf(message) is not { } pass || LocalWire.FromMessage(message.Settle.Way) is not { } way)
            throw new OperationRefusedException("Say which pass is to be settled, and how.");
        PassResult result = await session.Services.Operations.SettleAsync(pass, way, cancellationToken);
        await session.PostAsync(new LocalMessage
        {
            Request = message.Request,
            PassId = message.PassId,
            Settled = new Settled { Failure = LocalWire.ToMessage(result.Failure), Owner = LocalWire.ToMessage(result.Owner), Detail = result.Detail },
        });
    }

    private async Task DrainAsync(LocalMessage message, CancellationToken stop)
    {
        Core.Wire.DrainProgress last = new() { IsLast = true };
        await foreach (DrainProgress progress in session.Services.Operations.DrainAsync(DrainWire.FromMessage(message.Drain), stop))
        {
            (last.Done, last.Total) = ((uint)progress.Done, (uint)progress.Total);
            // Without a listener the drain still has to end its passes.
            if (!session.Ended.IsCancellationRequested)
                await session.PostAsync(new LocalMessage { Request = message.Request, DrainProgress = DrainWire.ToMessage(progress) });
        }

        await session.PostAsync(new LocalMessage { Request = message.Request, DrainProgress = last });
    }

    private async Task StatusAsync(LocalMessage message, CancellationToken cancellationToken) => await session.PostAsync(new LocalMessage
    {
        Request = message.Request,
        Status = StatusWire.ToMessage(await session.Services.Operations.GetStatusAsync(cancellationToken)),
    });
}
