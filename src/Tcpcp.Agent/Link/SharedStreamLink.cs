using Tcpcp.Core;
using Tcpcp.Core.Wire;

namespace Tcpcp.Agent.Link;

/// <summary>The origin's link of one pass over the stream that all passes to a destination share.</summary>
/// <param name="closed">Hears once that the pass does not use it any more.</param>
internal sealed class SharedStreamLink(PassId pass, OutgoingMessages outgoing, Action<SharedStreamLink> closed) : IPassLink
{
    private bool _isSettled;
    private bool _isSpoken;
    private int _isClosed;

    public PassId Pass => pass;

    public PassInbox Inbox { get; } = new();

    public void Deliver(PassMessage message, bool runReader)
    {
        _isSettled = message.BodyCase is PassMessage.BodyOneofCase.Forgotten or PassMessage.BodyOneofCase.Refused;
        Inbox.Put(message, runReader);
    }

    public void Send(PassMessage message)
    {
        ObjectDisposedException.ThrowIf(_isClosed != 0, this);
        _isSpoken = true;
        outgoing.Send(message);
    }

    public ValueTask<PassMessage?> ReceiveAsync(CancellationToken cancellationToken) => Inbox.TakeAsync(cancellationToken);

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _isClosed, 1) != 0)
            return;
        closed(this);
        Inbox.End(new LinkException("The link of the pass was closed."));
        if (!_isSpoken || _isSettled)
            return;
        try
        {
            outgoing.Send(Passing.PassMessages.Hangup(pass));
        }
        catch (LinkException)
        {
            // The stream is broken, which says the same.
        }
    }
}
