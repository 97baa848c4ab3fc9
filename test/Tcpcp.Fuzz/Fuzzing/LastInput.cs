using System.IO.MemoryMappedFiles;

namespace Tcpcp.Fuzz.Fuzzing;

/// <summary>The input that is tried at the moment, in a file that outlives a crash of this process.</summary>
internal sealed class LastInput : IDisposable
{
    private const int MaxBytes = 1 << 20;

    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;

    public LastInput(string path)
    {
        _file = MemoryMappedFile.CreateFromFile(path, FileMode.Create, null, MaxBytes);
        _view = _file.CreateViewAccessor();
    }

    public void Write(byte[] input)
    {
        _view.Write(0, input.Length);
        _view.WriteArray(sizeof(int), input, 0, Math.Min(input.Length, MaxBytes - sizeof(int)));
    }

    public byte[] Read()
    {
        byte[] input = new byte[_view.ReadInt32(0)];
        _view.ReadArray(sizeof(int), input, 0, input.Length);
        return input;
    }

    public void Dispose()
    {
        _view.Dispose();
        _file.Dispose();
    }
}
