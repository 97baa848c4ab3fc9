using Tcpcp.Core;
using Tcpcp.Core.Passing;

namespace Tcpcp.Explorer.Tests;

/// <summary>What a world may break.</summary>
internal enum Breach : byte
{
    None,
    TwoEmit,

    /// <summary>A copy that can emit does not know what was said to the peer.</summary>
    Contradiction,
    ResetToThePeer,
    ThawedThoughNotOwner,
    AcceptedThoughNotOwned,
    InputNotLegal,

    /// <summary>A pass says of the owner what is not so.</summary>
    FalseReport,

    /// <summary>Nothing can happen any more, and that is not good.</summary>
    BadEnd,

    /// <summary>Things go on happening, and no end can be reached.</summary>
    NoEnd,
}

/// <summary>The parts of one exploration: scenario, tables, rules, and the numbers that stand for their values.</summary>
internal sealed class Model
{
    private readonly Numbers<RedirectorState> _redirector = new();

    /// <param name="reduces">Leaves out what leads to the same ends by another order only; <see cref="ReductionTests"/> compare.</param>
    public Model(Scenario scenario, Tables tables, Rules rules, bool reduces = true)
    {
        (Scenario, Tables, Rules, Reduces) = (scenario, tables, rules, reduces);
        Origins = new((state, input) => { OriginStep step = tables.Origin(state, input); return (step.State, step.Effects); },
            effect => effect is OriginEffect.Quiesce or OriginEffect.AwaitRoutingLeft);
        Destinations = new((state, input) => { DestinationStep step = tables.Destination(state, input); return (step.State, step.Effects); },
            effect => effect is DestinationEffect.ArmHold or DestinationEffect.SendHeld or DestinationEffect.SendActive);
        NoPass = Origins.Of(new OriginState.Done(PassFailure.Cancelled, ConnectionOwner.Origin));
        Network = new Network(this);
        Host = new Host(this);
        Origin = new OriginSide(this);
        Destination = new DestinationSide(this);
        Accidents = new Accidents(this);
    }

    public Scenario Scenario { get; }

    public Tables Tables { get; }

    public Rules Rules { get; }

    public Situations<OriginState, OriginInput, OriginEffect> Origins { get; }

    public Situations<DestinationState, DestinationInput, DestinationEffect> Destinations { get; }

    /// <summary>An origin that knows of no pass answers as one whose pass has ended.</summary>
    public ushort NoPass { get; }

    public Numbers<(OriginRecord Kind, PassTerms Terms, PassOutcome? Outcome)> OriginRecords { get; } = new();

    public Numbers<(DestinationRecord Kind, PassTerms Terms)> DestinationRecords { get; } = new();

    public Numbers<PassTerms> Terms { get; } = new();

    public Network Network { get; }

    public Host Host { get; }

    public OriginSide Origin { get; }

    public DestinationSide Destination { get; }

    public Accidents Accidents { get; }

    public bool Reduces { get; }

    /// <summary>Nothing is mutated.</summary>
    public bool IsShipped => ReferenceEquals(Tables, Tables.Shipped) && ReferenceEquals(Rules, Rules.All);

    public int Passes => Scenario.Passes.Length;

    public World Start()
    {
        World world = new();
        for (int host = 0; host < Scenario.Hosts; host++)
            world.ApplicationLives(host) = 1;
        world.Socket(0) = SocketState.Live;
        world.ApplicationHolds(0) = 1;
        world.Redirector = _redirector.Of(new RedirectorState.Placed(0, new RedirectionTarget("0")));
        for (int pass = 0; pass < Passes; pass++)
        {
            world.Origin(pass) = NoPass;
            world.Destination(pass) = Destination.Fresh(world, pass);
        }
        return world;
    }

    /// <summary>All that can happen in the world.</summary>
    public void Expand(Steps steps)
    {
        steps.Clear();
        if (Reduces && !Accidents.AllowsAny(steps.From) && ExpandLocalOnly(steps))
            return;
        for (int pass = 0; pass < Passes; pass++)
        {
            Origin.Expand(steps, pass);
            Destination.Expand(steps, pass);
        }
        for (int host = 0; host < Scenario.Hosts; host++)
            Host.Expand(steps, host);
        Network.Expand(steps);
        if (steps.Count > 0) // else there is no pass any more that an accident could disturb
            Accidents.Expand(steps);
    }

    // Where no accident can happen any more, an effect that nobody else sees comes first: every other order leads to the same worlds.
    private bool ExpandLocalOnly(Steps steps)
    {
        for (int pass = 0; pass < Passes; pass++)
        {
            if (Origin.IsNextLocal(steps.From, pass))
            {
                Origin.Expand(steps, pass);
                return true;
            }
            if (Destination.IsNextLocal(steps.From, pass))
            {
                Destination.Expand(steps, pass);
                return true;
            }
        }
        return false;
    }

    /// <summary>The host that gets the peer's packets, and the number of the redirection that said so.</summary>
    public (int Host, ulong Number) Route(World world)
    {
        var placed = (RedirectorState.Placed)_redirector[world.Redirector];
        return (placed.Target.Host[0] - '0', placed.Number);
    }

    /// <summary>The redirector takes an order.</summary>
    public void Redirect(World world, Message order)
    {
        RedirectorStep step = Tables.Redirector(_redirector[world.Redirector],
            new RedirectionOrder(order.Number, new RedirectionTarget(((char)('0' + order.Host)).ToString())));
        world.Redirector = _redirector.Of(step.State);
        foreach (RedirectorEffect effect in step.Effects)
        {
            if (effect is RedirectorEffect.Acknowledge acknowledge)
                Network.Send(world, new Message(MessageKind.Acknowledge, order.Pass, 0, (int)acknowledge.Number));
        }
    }

    public bool IsOpenAtOrigin(World world, int pass)
    {
        Situation<OriginState, OriginEffect> situation = Origins[world.Origin(pass)];
        return OriginTable.IsOpen(situation.State) || !situation.IsIdle;
    }

    public bool IsOpenAtDestination(World world, int pass)
    {
        Situation<DestinationState, DestinationEffect> situation = Destinations[world.Destination(pass)];
        return DestinationTable.IsOpen(situation.State) || !situation.IsIdle;
    }

    /// <summary>Whether the host's agent knows of an open pass other than this one.</summary>
    public bool IsBusy(World world, int host, int besides = -1)
    {
        for (int pass = 0; pass < Passes; pass++)
        {
            if (pass == besides)
                continue;
            if (Scenario.OriginOf(pass) == host && IsOpenAtOrigin(world, pass) || Scenario.DestinationOf(pass) == host && IsOpenAtDestination(world, pass))
                return true;
        }
        return false;
    }
}

/// <summary>Values and the small numbers that stand for them; 0 is none.</summary>
internal sealed class Numbers<T>
    where T : notnull
{
    private readonly List<T> _values = [];
    private readonly Dictionary<T, byte> _numbers = [];

    public T this[byte number] => _values[number - 1];

    public byte Of(T value)
    {
        if (_numbers.TryGetValue(value, out byte number))
            return number;
        _values.Add(value);
        return _numbers[value] = checked((byte)_values.Count);
    }
}
