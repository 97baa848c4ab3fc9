using Tcpcp.Configuration;

namespace Tcpcp.Fuzz.Targets;

/// <summary>A configuration file. It is the operator's own: each value that is wrong is a sentence.</summary>
internal abstract class ConfigurationFileTarget : FuzzTarget
{
    private readonly string _path = $"/dev/shm/tcpcp-fuzz-{Guid.NewGuid():N}.json";

    public override bool IsMessage => false;

    public override long MaxAllocation(int inputBytes) => (8 << 20) + (4096L * inputBytes);

    public override void Run(byte[] input)
    {
        File.WriteAllBytes(_path, input);
        try
        {
            Read(_path);
        }
        catch (ConfigurationException)
        {
            // Refused.
        }
        finally
        {
            File.Delete(_path);
        }
    }

    /// <summary>As the program does at its start.</summary>
    protected abstract void Read(string path);
}
