using Tcpcp.Fuzz.Targets;

namespace Tcpcp.Fuzz;

/// <summary>A part of tcpcp that reads bytes which anybody may have made.</summary>
internal abstract class FuzzTarget : IDisposable
{
    public static IReadOnlyList<FuzzTarget> All =>
    [
        new SnapshotTarget(), new SavedFileTarget(), new JournalTarget(), new CaptureTarget(), new ConfigurationTarget(), new LocalMessageTarget(), new LinkMessageTarget(),
        new ProxyHeaderTarget(), new ClientHelloTarget(), new RelaySessionTarget(), new RelayConfigurationTarget(),
        new LocalAgentTarget(), new LocalClientTarget(),
    ];

    public abstract string Name { get; }

    /// <summary>The inputs are protobuf messages.</summary>
    public virtual bool IsMessage => true;

    /// <summary>Branches say what an input does. Not where several threads take them.</summary>
    public virtual bool IsGuided => true;

    /// <summary>Pieces that the format has.</summary>
    public virtual IReadOnlyList<byte[]> Tokens => [];

    public static FuzzTarget Find(string name) => All.First(target => target.Name == name);

    /// <summary>Called by reflection, of the instrumented copy: what runs an input, and what ends the target.</summary>
    public static (Action<byte[]> Run, Action Dispose) RunnerOf(string name)
    {
        FuzzTarget target = Find(name);
        return (target.Run, target.Dispose);
    }

    /// <summary>Good inputs, made by the code as it is.</summary>
    public abstract IEnumerable<byte[]> Seeds();

    /// <summary>Reads the input. What it is documented to refuse by is caught here; whatever else is thrown is a fault.</summary>
    public abstract void Run(byte[] input);

    /// <summary>What an input of so many bytes may allocate.</summary>
    public virtual long MaxAllocation(int inputBytes) => (4 << 20) + (64L * inputBytes);

    public virtual void Dispose()
    {
    }
}
